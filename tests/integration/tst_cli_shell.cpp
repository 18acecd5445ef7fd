// SPDX-License-Identifier: MIT
// The command line as shells use it: closed pipes, completions, the manual page.
#include <QProcess>
#include <QStandardPaths>
#include <QtTest>

#include <unistd.h>

#include <array>

#include "base/handle.h"
#include "service_fixture.h"
#include "terminal_session.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

namespace {

const QString kBin = QStringLiteral(SNAKEPIT_BIN_DIR);
const QString kProgram = kBin + "/snakepit-shm";

QStringList words_of(const QString& text) {
    return text.split(QRegularExpression("\\s+"), Qt::SkipEmptyParts);
}

}  // namespace

class CliShell : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void cleanupTestCase() { service_.reset(); }

    void a_closed_pipe_ends_every_command_quietly_data();
    void a_closed_pipe_ends_every_command_quietly();
    void bash_completes_data();
    void bash_completes();
    void bash_completes_at_a_prompt();
    void zsh_completes_at_a_prompt();
    void fish_completes_data();
    void fish_completes();
    void every_command_and_option_is_completed();
    void the_manual_page_has_no_warnings();
    void the_manual_page_names_every_command_and_option();

  private:
    QProcessEnvironment environment() const {
        auto out = service_->host().environment(service_->instance());
        out.insert("PATH", kBin + ":" + out.value("PATH", "/usr/bin:/bin"));
        out.insert("HOME", service_->host().path("home"));
        return out;
    }
    Finished run(const QString& program, const QStringList& words) const {
        Peer peer(program, words, environment());
        return peer.wait();
    }
    // What the completion offers for a line of these words, of which the last is incomplete.
    QStringList candidates(const QStringList& words) const {
        QStringList out;
        for (const auto& line :
             run(kProgram, QStringList{"complete", "--"} + words).out.split('\n'))
            if (!line.isEmpty()) out += line.section('\t', 0, 0);
        return out;
    }
    // Lines of words, without the program's name, after which the tree has a command.
    QList<QStringList> commands(const QStringList& above = {}) const {
        QList<QStringList> out;
        // The first positional of some commands is completed with names of commands too.
        if (above.value(0) == "help") return out;
        for (const auto& name : candidates(above + QStringList{""})) {
            if (run(kProgram, QStringList{"help"} + above + QStringList{name}).status != 0)
                continue;
            out += above + QStringList{name};
            out += commands(above + QStringList{name});
        }
        return out;
    }

    std::unique_ptr<Service> service_;
    QString id_;
};

void CliShell::initTestCase() {
    service_ = std::make_unique<Service>();
    QVERIFY(service_->start());
    id_ = service_->cli_json({"allocate", "256KiB"})["id"].toString();
    QVERIFY(!id_.isEmpty());
    QVERIFY(QDir().mkpath(service_->host().path("home")));
}

void CliShell::a_closed_pipe_ends_every_command_quietly_data() {
    QTest::addColumn<QStringList>("words");
    for (const auto& words : QList<QStringList>{{"status"},
                                                {"status", "--all"},
                                                {"top"},
                                                {"top", "--batch", "1000"},
                                                {"list"},
                                                {"list", "--watch"},
                                                {"info", id_},
                                                {"read", id_},
                                                {"dump", id_},
                                                {"dump", "--raw", id_},
                                                {"events"},
                                                {"events", "--follow"},
                                                {"health"},
                                                {"host"},
                                                {"locks"},
                                                {"alerts"},
                                                {"alerts", "--history"},
                                                {"alerts", "rules"},
                                                {"alerts", "silences"},
                                                {"stats"},
                                                {"stats", "--metrics"},
                                                {"stats", "--history", "regions"},
                                                {"metrics"},
                                                {"config", "show"},
                                                {"config", "check"},
                                                {"policy", "show", id_},
                                                {"policy", "what-if", id_, "--user", "0"},
                                                {"cleanup", "--dry-run"},
                                                {"cleanup", "--dry-run", "--all-eligible"},
                                                {"audit", "verify"},
                                                {"audit", "export", "-o", "-"},
                                                {"diagnose", "-o", "-"},
                                                {"defragment"},
                                                {"help"},
                                                {"help", "list"},
                                                {"help", "--man"},
                                                {"completions", "bash"},
                                                {"version"},
                                                {"--help"},
                                                {"wait", id_, "--state", "live"}}) {
        QTest::newRow(qPrintable(words.join(' '))) << words;
        QTest::newRow(qPrintable(words.join(' ') + " --json")) << words + QStringList{"--json"};
    }
}

void CliShell::a_closed_pipe_ends_every_command_quietly() {
    QFETCH(QStringList, words);
    std::array<int, 2> ends{};
    QCOMPARE(::pipe(ends.data()), 0);
    const Handle writing(ends[1]);
    ::close(ends[0]);  // nothing will read
    QProcess process;
    process.setProcessEnvironment(environment());
    process.setChildProcessModifier([&writing] { ::dup2(writing.get(), STDOUT_FILENO); });
    process.start(kProgram, words);
    QVERIFY2(process.waitForFinished(kPatienceMs), "it goes on without a reader");
    const auto said = process.readAllStandardError();
    QVERIFY2(process.exitStatus() == QProcess::NormalExit && process.exitCode() == 0,
             qPrintable(QString("%1: %2").arg(process.exitCode()).arg(QString(said))));
    QVERIFY2(said.isEmpty(), said);
}

void CliShell::bash_completes_data() {
    QTest::addColumn<QStringList>("line");
    QTest::addColumn<QStringList>("expected");
    QTest::newRow("a command") << QStringList{"stat"} << QStringList{"status", "stats"};
    QTest::newRow("a command within one")
        << QStringList{"alerts", "rules", "en"} << QStringList{"enable"};
    QTest::newRow("an option") << QStringList{"events", "--fo"} << QStringList{"--follow"};
    QTest::newRow("an option of all") << QStringList{"list", "--inst"} << QStringList{"--instance"};
    QTest::newRow("a value") << QStringList{"allocate", "1", "--cleanup-policy", ""}
                             << QStringList{"automatic", "manual", "reference_counted"};
    QTest::newRow("an event's kind")
        << QStringList{"events", "--kind", "client_g"} << QStringList{"client_gone"};
    QTest::newRow("a region") << QStringList{"info", "shm_"} << QStringList{id_};
    QTest::newRow("a region by its end") << QStringList{"info", id_.right(6)} << QStringList{id_};
    QTest::newRow("a region of an option")
        << QStringList{"events", "--region", "shm_"} << QStringList{id_};
    QTest::newRow("a command to explain")
        << QStringList{"help", "defr"} << QStringList{"defragment"};
    QTest::newRow("a shell") << QStringList{"completions", ""}
                             << QStringList{"bash", "zsh", "fish"};
    QTest::newRow("nothing") << QStringList{"list", "--nonsense-"} << QStringList{};
}

void CliShell::bash_completes() {
    QFETCH(QStringList, line);
    QFETCH(QStringList, expected);
    const auto script = QStringLiteral(
        "source <(\"$1\" completions bash) || exit 9; program=$1; shift\n"
        "complete -p snakepit-shm >/dev/null || exit 8\n"
        "COMP_WORDS=(snakepit-shm \"$@\"); COMP_CWORD=$#\n"
        "_snakepit_shm \"$program\"; [ ${#COMPREPLY[@]} = 0 ] || printf '%s\\n' "
        "\"${COMPREPLY[@]}\"\n");
    const auto completed =
        run("bash", QStringList{"--norc", "-c", script, "bash", kProgram} + line);
    QVERIFY2(completed.status == 0 && completed.err.isEmpty(), qPrintable(completed.err));
    QCOMPARE(words_of(completed.out), expected);
}

void CliShell::bash_completes_at_a_prompt() {
    TerminalSession bash("/bin/bash", {"--norc", "--noprofile", "-i"}, environment(), "xterm", 120,
                         20);
    bash.type("PS1='ready> '; source <(snakepit-shm completions bash)\n");
    QVERIFY(bash.sees("ready> "));
    bash.type("snakepit-shm defr\t");
    QVERIFY(bash.sees("ready> snakepit-shm defragment"));
    bash.type("\x15snakepit-shm info shm_\t");
    QVERIFY(bash.sees("snakepit-shm info " + id_));
}

void CliShell::zsh_completes_at_a_prompt() {
    const auto zsh = QStandardPaths::findExecutable("zsh");
    if (zsh.isEmpty()) QSKIP("zsh is not installed");
    TerminalSession shell(zsh, {"-f", "-i"}, environment(), "xterm", 120, 20);
    shell.type(
        "PS1='ready> '; autoload -U compinit; compinit -D -u; source <(snakepit-shm completions "
        "zsh)\n");
    QVERIFY(shell.sees("ready> "));
    shell.type("snakepit-shm defr\t");
    QVERIFY(shell.sees("ready> snakepit-shm defragment"));
    shell.type("\x15snakepit-shm info shm_\t");
    QVERIFY(shell.sees("snakepit-shm info " + id_));
    shell.type("\x15snakepit-shm allocate 1 --placement po\t");
    QVERIFY(shell.sees("--placement pooled"));
}

void CliShell::fish_completes_data() {
    QTest::addColumn<QString>("line");
    QTest::addColumn<QStringList>("expected");
    QTest::newRow("a command") << "snakepit-shm stat" << QStringList{"stats", "status"};
    QTest::newRow("an option") << "snakepit-shm events --fo" << QStringList{"--follow"};
    QTest::newRow("a region") << "snakepit-shm info shm_" << QStringList{id_};
}

void CliShell::fish_completes() {
    QFETCH(QString, line);
    QFETCH(QStringList, expected);
    const auto fish = QStandardPaths::findExecutable("fish");
    if (fish.isEmpty()) QSKIP("fish is not installed");
    const auto completed =
        run(fish, {"--no-config", "-c",
                   "snakepit-shm completions fish | source; complete -C '" + line + "'"});
    QVERIFY2(completed.status == 0, qPrintable(completed.err));
    QStringList offered;
    for (const auto& candidate : completed.out.split('\n', Qt::SkipEmptyParts))
        offered += candidate.section('\t', 0, 0);
    offered.sort();
    QCOMPARE(offered, expected);
}

void CliShell::every_command_and_option_is_completed() {
    const auto all = commands();
    QVERIFY2(all.size() > 40, qPrintable(QString::number(all.size())));
    for (const auto& command : all) {
        const auto help = run(kProgram, QStringList{"help"} + command).out;
        const auto options = candidates(command + QStringList{"-"});
        auto found =
            QRegularExpression("^  (?:-\\w, )?(--[a-z-]+)", QRegularExpression::MultilineOption)
                .globalMatch(help);
        int count = 0;
        for (; found.hasNext(); ++count) {
            const auto name = found.next().captured(1);
            QVERIFY2(options.contains(name), qPrintable(command.join(' ') + " " + name));
        }
        QVERIFY2(count >= 4, qPrintable(command.join(' ')));  // those that all have
    }
}

void CliShell::the_manual_page_has_no_warnings() {
    const auto page = service_->host().path("snakepit-shm.1");
    QFile file(page);
    QVERIFY(file.open(QIODevice::WriteOnly));
    const auto made = run(kProgram, {"help", "--man"});
    QCOMPARE(made.status, 0);
    file.write(made.out.toUtf8());
    file.close();
    if (QStandardPaths::findExecutable("groff").isEmpty()) QSKIP("groff is not installed");
    const auto checked = run("groff", {"-man", "-Tascii", "-ww", "-z", page});
    QVERIFY2(checked.status == 0 && checked.err.isEmpty(), qPrintable(checked.err));
}

void CliShell::the_manual_page_names_every_command_and_option() {
    auto page = run(kProgram, {"help", "--man"}).out;
    page.remove(QRegularExpression("\\\\f[BIR]")).replace("\\-", "-");
    for (const auto& command : commands()) {
        const auto heading = page.indexOf(".SS \"snakepit-shm " + command.join(' ') + " ");
        QVERIFY2(heading >= 0, qPrintable(command.join(' ')));
        const auto end = page.indexOf("\n.S", heading + 1);
        const auto section = page.mid(heading, end - heading) +
                             page.section(".SH \"COMMON OPTIONS\"", 1).section(".SH", 0, 0);
        for (const auto& option : candidates(command + QStringList{"-"}))
            QVERIFY2(section.contains(option), qPrintable(command.join(' ') + " " + option));
    }
}

QTEST_GUILESS_MAIN(CliShell)
#include "tst_cli_shell.moc"
