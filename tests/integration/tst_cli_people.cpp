// SPDX-License-Identifier: MIT
// The command line as a person uses it: summaries, short ids, names of workers, units, colors,
// widths, waiting.
#include <QElapsedTimer>
#include <QJsonArray>
#include <QProcess>
#include <QtTest>

#include "service_fixture.h"
#include "terminal_session.h"

using namespace snakepit::shm::test;

namespace {

const QString kProgram = QStringLiteral(SNAKEPIT_BIN_DIR "/snakepit-shm");

int longest_line(const QString& text) {
    int out = 0;
    for (const auto& line : text.split('\n')) out = std::max(out, static_cast<int>(line.size()));
    return out;
}

}  // namespace

class CliPeople : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup();

    void status_is_a_summary_and_all_of_it_on_request();
    void a_region_is_found_by_the_beginning_or_the_end_of_its_id();
    void an_ambiguous_id_names_the_candidates();
    void what_names_nothing_is_an_error_and_not_an_empty_answer();
    void names_in_a_policy_that_nobody_has_are_named();
    void a_policy_is_checked_by_the_short_id_of_its_region();
    void events_know_the_short_id_of_a_freed_region();
    void times_have_units_and_zero_is_a_word();
    void waiting_ends_when_the_state_is_reached();
    void waiting_ends_when_the_region_is_gone();
    void waiting_gives_up_after_its_timeout();
    void wait_takes_exactly_one_condition();
    void a_watched_list_prints_again_on_a_change();
    void holders_are_shown_and_found_by_their_workers();
    void a_dry_run_lists_only_what_would_be_removed();
    void events_say_that_older_ones_are_not_shown();
    void colors_are_for_terminals_data();
    void colors_are_for_terminals();
    void tables_fit_a_narrow_terminal_data();
    void tables_fit_a_narrow_terminal();
    void columns_of_the_environment_are_the_width_of_a_terminal();
    void a_mistyped_option_is_named_with_the_nearest();
    void a_program_found_by_path_finds_its_module();

  private:
    QString allocate(const QStringList& words = {"4KiB"}) {
        return service_->cli_json(QStringList{"allocate"} + words).value("id").toString();
    }
    // What a terminal of this width got, without the carriage returns.
    QString on_terminal(const QStringList& words, int columns,
                        QProcessEnvironment environment) const;
    QProcessEnvironment environment() const {
        return service_->host().environment(service_->instance());
    }

    std::unique_ptr<Service> service_;
};

void CliPeople::init() {
    service_ = std::make_unique<Service>();
    QVERIFY(service_->start());
}

void CliPeople::cleanup() {
    service_.reset();
}

QString CliPeople::on_terminal(const QStringList& words, int columns,
                               QProcessEnvironment environment) const {
    TerminalSession session(kProgram, words, std::move(environment), "xterm-256color", columns, 24);
    session.wait();
    return QString::fromUtf8(session.output()).remove('\r');
}

void CliPeople::status_is_a_summary_and_all_of_it_on_request() {
    allocate();
    const auto summary = service_->cli({"status"}).out;
    const auto lines = summary.trimmed().split('\n');
    QVERIFY2(lines.size() >= 10 && lines.size() <= 16, qPrintable(summary));
    for (const auto* word :
         {"Running", "Regions", "1 of 1000", "Memory", "10 GiB", "Programs", "Orphans", "Alerts",
          "Health", "Config", "Runtime", "State", "status --all"})
        QVERIFY2(summary.contains(word), qPrintable(QString(word) + "\n" + summary));
    QVERIFY(summary.contains(service_->host().runtime_dir(service_->instance())));
    QVERIFY2(!summary.contains('{'), qPrintable(summary));

    const auto all = service_->cli({"status", "--all"}).out;
    for (const auto& key :
         {"alerts.enabled", "limits.max_regions_per_user", "recorder.lag", "epoch"})
        QVERIFY2(all.contains(key), qPrintable(all));
    QVERIFY(service_->cli_json({"status"}).value("limits").isObject());
}

void CliPeople::a_region_is_found_by_the_beginning_or_the_end_of_its_id() {
    const auto id = allocate();
    for (const auto& part :
         {id.right(8), id.left(id.size() - 6), id.mid(4, id.size() - 10), "…" + id.right(9)}) {
        const auto shown = service_->cli_json({"info", part});
        QVERIFY2(shown.value("id").toString() == id, qPrintable(part));
    }
    QCOMPARE(service_->cli({"seal", id.right(8)}).status, 0);
    QCOMPARE(service_->cli({"read", id.right(8)}).out.size(), 4096);
    QVERIFY(service_->cli({"dump", id.right(8)}).out.contains(id));
    QCOMPARE(service_->cli({"policy", "show", id.right(8)}).status, 0);
    const auto quarantined = service_->cli({"deallocate", "--quarantine", id.right(8)});
    QVERIFY2(quarantined.out.contains(id), qPrintable(quarantined.err));
    QVERIFY(service_->cli({"restore", id.right(8)}).out.contains(id));
    QVERIFY(service_->cli({"deallocate", id.right(8)}).out.contains(id));
    const auto gone = service_->cli({"info", id.right(8), "--json"});
    QCOMPARE(gone.status, 1);
    QCOMPARE(gone.error().value("code").toString(), "region_not_found");
    QCOMPARE(service_->cli({"info", "not-an-id"}).status, 1);  // a name that no region has
}

void CliPeople::an_ambiguous_id_names_the_candidates() {
    const auto one = allocate();
    const auto two = allocate();
    QString common;  // of both, from the beginning
    while (one.startsWith(two.left(common.size() + 1))) common = two.left(common.size() + 1);
    const auto refused = service_->cli({"info", common});
    QCOMPARE(refused.status, 2);
    QVERIFY2(refused.err.contains(one) && refused.err.contains(two), qPrintable(refused.err));
}

void CliPeople::what_names_nothing_is_an_error_and_not_an_empty_answer() {
    const auto id = allocate();
    const QString missing = "shm_1700000000000000_0123456789abcdef";
    const QList<std::tuple<QStringList, int, QString>> cases{
        {{"list", "state:bogus"}, 2, "live, orphan, closing"},
        {{"locks", "state:bogus"}, 2, "live, orphan, closing"},
        {{"list", "cleanup=never"}, 2, "automatic, manual, reference_counted"},
        {{"events", "--kind", "bogus"}, 2, "bogus"},
        {{"wait", id, "--state", "bogus"}, 2, "quarantined"},
        {{"locks", missing}, 1, missing},
        {{"locks", missing.right(8)}, 1, missing.right(8)},
        {{"locks", "NOSUCH"}, 0, "NOSUCH"},
        {{"locks", "shm_xyz"}, 2, "shm_xyz"}};
    for (const auto& [words, status, named] : cases) {  // status 0: any failure
        const auto refused = service_->cli(words);
        const bool failed = status == 0 ? refused.status > 0 : refused.status == status;
        QVERIFY2(failed && refused.err.contains(named),
                 qPrintable(words.join(' ') + ": " + refused.out + refused.err));
    }
    for (const auto& words : QList<QStringList>{{"locks", id},
                                                {"locks", id.right(8)},
                                                {"locks", "state:live"},
                                                {"locks", "snakepit-shm"}})
        QCOMPARE(service_->cli(words).out, "no locks\n");
    QCOMPARE(service_->cli({"locks", "state:orphan"}).out, "no locks\n");
    QVERIFY(
        service_->cli({"events", "--region", missing}).err.contains("no recorded event matches"));
}

void CliPeople::names_in_a_policy_that_nobody_has_are_named() {
    const auto id = allocate();
    const auto set =
        service_->cli({"policy", "set", id.right(8), "--allow", "user=nosuchuser:read", "--allow",
                       "group=nosuchgroup:read", "--allow", "user=root:read"});
    QCOMPARE(set.status, 0);
    QVERIFY2(set.err.contains("unknown user 'nosuchuser'"), qPrintable(set.err));
    QVERIFY2(set.err.contains("unknown group 'nosuchgroup'"), qPrintable(set.err));
    QCOMPARE(set.err.count('\n'), 2);
    const auto warnings =
        service_->cli_json({"policy", "set", id, "--allow", "user=nosuchuser:read"})["warnings"];
    QCOMPARE(warnings.toArray().size(), 1);
    QCOMPARE(warnings[0]["where"].toString(), "rules[0].user");
    QVERIFY(service_->cli({"policy", "set", id, "--allow", "user=root:read"}).err.isEmpty());
}

void CliPeople::a_policy_is_checked_by_the_short_id_of_its_region() {
    const auto id = allocate();
    QCOMPARE(service_->cli({"policy", "check", id.right(8)}).out, "no problems found\n");
    QCOMPARE(service_->cli({"policy", "set", id, "--permissions", "other=ro"}).status, 0);
    const auto found = service_->cli({"policy", "check", id.right(8)});
    QCOMPARE(found.status, 5);
    QVERIFY2(found.out.contains("permissions.other"), qPrintable(found.out));
    QCOMPARE(service_->cli({"policy", "check", "no-such-file.json"}).status, 1);
}

void CliPeople::events_know_the_short_id_of_a_freed_region() {
    const auto id = allocate();
    QCOMPARE(service_->cli({"deallocate", id}).status, 0);
    const auto events = [&] { return service_->cli({"events", "--region", id.right(8)}).out; };
    QTRY_VERIFY_WITH_TIMEOUT(events().contains("freed"), kPatienceMs);
    service_->stop();
    QVERIFY(events().contains(id));
}

void CliPeople::times_have_units_and_zero_is_a_word() {
    const auto show = [this](const QStringList& words, const QString& key) {
        for (const auto& line : service_->cli(words).out.split('\n'))
            if (line.section(' ', 0, 0).endsWith(key)) return line.section(' ', 1).trimmed();
        return QString();
    };
    const QStringList config{"config", "show"};
    QCOMPARE(show(config, "default_timeout"), "5 min");
    QCOMPARE(show(config, "max_regions_per_user"), "unlimited");
    QCOMPARE(show(config, "max_memory_per_user"), "unlimited");
    QCOMPARE(show(config, "max_region_size"), "1 GiB");
    QCOMPARE(show({"status", "--all"}, "max_regions_per_user"), "unlimited");
    const auto never = allocate({"4KiB", "--timeout", "0"});
    QCOMPARE(show({"info", never}, "timeout"), "never");
    const auto later = allocate({"4KiB", "--timeout", "90s"});
    QCOMPARE(show({"info", later}, "timeout"), "90 s");
    QCOMPARE(service_->cli_json({"info", later}).value("timeout").toInteger(), 90'000);
}

void CliPeople::waiting_ends_when_the_state_is_reached() {
    const auto id = allocate();
    QCOMPARE(service_->cli({"wait", id.right(8), "--state", "live"}).status, 0);
    const auto waiter =
        service_->cli_peer({"wait", id, "--state", "quarantined", "--timeout", "60s"});
    QCOMPARE(service_->cli({"deallocate", "--quarantine", id}).status, 0);
    QCOMPARE(waiter->wait().status, 0);
    QCOMPARE(service_->cli({"wait", id, "--references", "0", "--timeout", "60s"}).status, 0);
}

void CliPeople::waiting_ends_when_the_region_is_gone() {
    const auto id = allocate();
    const auto waiter = service_->cli_peer({"wait", id, "--gone", "--timeout", "60s"});
    QCOMPARE(service_->cli({"deallocate", id}).status, 0);
    QCOMPARE(waiter->wait().status, 0);
    QCOMPARE(service_->cli({"wait", id, "--gone"}).status, 0);
    const auto never = service_->cli({"wait", id, "--state", "live", "--json"});
    QCOMPARE(never.status, 1);
    QCOMPARE(never.error().value("code").toString(), "region_not_found");
}

void CliPeople::waiting_gives_up_after_its_timeout() {
    const auto id = allocate();
    QElapsedTimer timer;
    timer.start();
    const auto waited = service_->cli({"wait", id, "--gone", "--timeout", "300ms", "--json"});
    QVERIFY(timer.elapsed() >= 300);
    QCOMPARE(waited.status, 1);
    QCOMPARE(waited.error().value("code").toString(), "timeout");
    QCOMPARE(waited.error().value("region_id").toString(), id);
}

void CliPeople::wait_takes_exactly_one_condition() {
    const auto id = allocate();
    QCOMPARE(service_->cli({"wait", id}).status, 2);
    QCOMPARE(service_->cli({"wait", id, "--gone", "--references", "0"}).status, 2);
    const auto unknown = service_->cli({"wait", id, "--state", "happy"});
    QCOMPARE(unknown.status, 2);
    QVERIFY2(unknown.err.contains("quarantined"), qPrintable(unknown.err));
}

void CliPeople::a_watched_list_prints_again_on_a_change() {
    const auto watcher = service_->cli_peer({"list", "--watch", "--json"});
    const auto regions = [&watcher] {
        return QJsonDocument::fromJson(watcher->line().toUtf8())
            .object()
            .value("regions")
            .toArray();
    };
    QCOMPARE(regions().size(), 0);
    const auto id = allocate();
    for (auto seen = regions(); seen.size() != 1 || seen[0].toObject()["id"].toString() != id;
         seen = regions())
        QVERIFY(watcher->running());
    QCOMPARE(service_->cli({"deallocate", id}).status, 0);
    for (auto seen = regions(); !seen.isEmpty(); seen = regions()) QVERIFY(watcher->running());
}

void CliPeople::holders_are_shown_and_found_by_their_workers() {
    const auto demo = service_->cli_peer({"demo", "--workers", "2", "--seconds", "3600"});
    const auto held = [this] {
        return service_->cli_json({"list", "holder:worker-1", "refs>0"}).value("regions").toArray();
    };
    QTRY_VERIFY_WITH_TIMEOUT(!held().isEmpty(), kPatienceMs);
    QJsonObject holder;
    const auto find = [&] {
        for (const auto& region : held())
            for (const auto& reference : region.toObject()["references"].toArray())
                if (reference.toObject()["worker"].toString() == "worker-1")
                    holder = reference.toObject();
        return !holder.isEmpty();
    };
    QTRY_VERIFY_WITH_TIMEOUT(find(), kPatienceMs);
    const auto pid = holder.value("pid").toInteger();
    QTRY_VERIFY_WITH_TIMEOUT(!service_->cli_json({"list", QString("holder:%1").arg(pid)})
                                  .value("regions")
                                  .toArray()
                                  .isEmpty(),
                             kPatienceMs);
    QCOMPARE(service_->cli({"list", "holder:nothing-has-this-name"}).out,
             "no regions match the filter\n");
    QVERIFY(service_->cli({"list", "cleanup:automatic"}).out.contains("worker-1"));
    // The workers end: their end is recorded with their names.
    demo->end(SIGINT);
    QTRY_VERIFY_WITH_TIMEOUT(
        service_->cli({"events", "--kind", "client_gone"}).out.contains("worker=worker-1"),
        kPatienceMs);
}

void CliPeople::a_dry_run_lists_only_what_would_be_removed() {
    const auto kept = allocate();
    const auto also_kept = allocate();
    const auto plan = service_->cli({"cleanup", "--dry-run"}).out;
    QVERIFY2(plan.contains("2 regions") && !plan.contains(kept), qPrintable(plan));
    QVERIFY2(plan.contains("would remove 0 regions"), qPrintable(plan));
    const auto all = service_->cli({"cleanup", "--dry-run", "--all-eligible"}).out;
    QVERIFY2(all.contains(kept) && all.contains(also_kept), qPrintable(all));
}

void CliPeople::events_say_that_older_ones_are_not_shown() {
    for (int i = 0; i < 3; ++i) allocate();
    const auto allocated = [this](const QStringList& more) {
        return service_->cli(QStringList{"events", "--kind", "allocated"} + more);
    };
    QTRY_COMPARE_WITH_TIMEOUT(allocated({}).out.count('\n'), 3, kPatienceMs);
    QVERIFY(allocated({}).err.isEmpty());
    const auto newest = allocated({"--limit", "2"});
    QCOMPARE(newest.out.count('\n'), 2);
    QVERIFY2(newest.err.contains("newest 2"), qPrintable(newest.err));
    QVERIFY(allocated({"--limit", "2", "--json"}).err.isEmpty());
}

void CliPeople::colors_are_for_terminals_data() {
    QTest::addColumn<QStringList>("options");
    QTest::addColumn<QString>("variable");
    QTest::addColumn<bool>("terminal");
    QTest::addColumn<bool>("colored");
    QTest::newRow("terminal") << QStringList{} << "" << true << true;
    QTest::newRow("pipe") << QStringList{} << "" << false << false;
    QTest::newRow("NO_COLOR") << QStringList{} << "NO_COLOR=1" << true << false;
    QTest::newRow("dumb terminal") << QStringList{} << "TERM=dumb" << true << false;
    QTest::newRow("never") << QStringList{"--color", "never"} << "" << true << false;
    QTest::newRow("always") << QStringList{"--color", "always"} << "NO_COLOR=1" << false << true;
}

void CliPeople::colors_are_for_terminals() {
    QFETCH(QStringList, options);
    QFETCH(QString, variable);
    QFETCH(bool, terminal);
    QFETCH(bool, colored);
    auto surroundings = environment();
    surroundings.remove("NO_COLOR");
    QString kind = "xterm-256color";
    if (variable.startsWith("TERM="))
        kind = variable.section('=', 1);
    else if (!variable.isEmpty())
        surroundings.insert(variable.section('=', 0, 0), variable.section('=', 1));
    const auto words = QStringList{"health"} + options;
    QString out;
    if (terminal) {
        TerminalSession session(kProgram, words, surroundings, kind, 100, 24);
        session.wait();
        out = QString::fromUtf8(session.output());
    } else {
        Peer peer(kProgram, words, surroundings);
        out = peer.wait().out;
    }
    QVERIFY2(out.contains("CHECK"), qPrintable(out));
    QCOMPARE(out.contains("\x1b["), colored);
}

void CliPeople::tables_fit_a_narrow_terminal_data() {
    QTest::addColumn<QStringList>("words");
    QTest::addColumn<int>("columns");
    for (const auto& words : QList<QStringList>{{"list"},
                                                {"health"},
                                                {"help"},
                                                {"help", "allocate"},
                                                {"status"},
                                                {"config", "show"},
                                                {"top", "--once"},
                                                {"host"},
                                                {"host", "--all"},
                                                {"stats"},
                                                {"cleanup", "--dry-run", "--all-eligible"}})
        for (const int columns : {80, 64})
            QTest::addRow("%s in %d", qPrintable(words.join(' ')), columns) << words << columns;
}

void CliPeople::tables_fit_a_narrow_terminal() {
    QFETCH(QStringList, words);
    QFETCH(int, columns);
    const auto id =
        allocate({"1MiB", "--metadata", "note=a long text that says nothing in particular"});
    const auto other = allocate();
    const auto plain = service_->cli(words).out;
    const auto shown = on_terminal(words + QStringList{"--color", "never"}, columns, environment());
    QVERIFY2(longest_line(shown) <= columns, qPrintable(shown));
    // No word was cut in two at the edge: each of them stands in the wide output.
    if (words.first() == "host") return;
    if (words.first() == "list" || words.first() == "cleanup" || words.first() == "top") {
        QVERIFY2(shown.contains(id.right(8)) && shown.contains(other.right(8)), qPrintable(shown));
        return;
    }
    // What the manager recommends may have changed since.
    auto paths = QString(plain + service_->cli(words).out).replace('\n', ' ');
    for (const auto& word : shown.split(QRegularExpression("\\s+"), Qt::SkipEmptyParts))
        QVERIFY2(paths.contains(word) || word.size() >= columns / 2 ||
                     word.contains(QRegularExpression("\\d")),
                 qPrintable(word + "\n" + shown));
}

void CliPeople::columns_of_the_environment_are_the_width_of_a_terminal() {
    allocate({"1MiB", "--metadata", "note=a long text that says nothing in particular"});
    for (const auto& words : QList<QStringList>{{"top", "--once"}, {"list"}, {"host", "--all"}}) {
        const QStringList program{"COLUMNS=70", kProgram, "--color", "never"};
        TerminalSession session("/usr/bin/env", program + words, environment(), "xterm-256color",
                                100, 24);
        session.wait();
        const auto shown = QString::fromUtf8(session.output()).remove('\r');
        QVERIFY2(longest_line(shown) <= 70 && longest_line(shown) > 40, qPrintable(shown));
    }
}

void CliPeople::a_mistyped_option_is_named_with_the_nearest() {
    const auto refused = service_->cli({"events", "--folow"});
    QCOMPARE(refused.status, 2);
    QVERIFY2(refused.err.contains("unknown option '--folow'") && refused.err.contains("--follow"),
             qPrintable(refused.err));
    QVERIFY(service_->cli({"events", "--limit"}).err.contains("--limit needs a value"));
    QVERIFY(service_->cli({"events", "--limit", "many"}).err.contains("expected a whole number"));
    QVERIFY(service_->cli({"info"}).err.contains("ID is required"));
    QVERIFY(service_->cli({"info", "a", "b"}).err.contains("unexpected argument 'b'"));
}

// Its own name leads nowhere then, and the module for encryption is beside it.
void CliPeople::a_program_found_by_path_finds_its_module() {
    const auto id =
        service_->cli_json({"allocate", "4096", "--security-level", "high"})["id"].toString();
    QVERIFY(!id.isEmpty());
    auto environment = service_->host().environment(service_->instance());
    environment.insert("PATH", QStringLiteral(SNAKEPIT_BIN_DIR) + ":" + environment.value("PATH"));
    QProcess shell;
    shell.setProcessEnvironment(environment);
    shell.setWorkingDirectory("/");
    shell.start("sh", {"-c", "snakepit-shm read " + id});
    QVERIFY(shell.waitForFinished(snakepit::shm::test::kPatienceMs));
    QCOMPARE(shell.readAllStandardError(), QByteArray());
    QCOMPARE(shell.readAllStandardOutput(), QByteArray(4096, '\0'));
}

QTEST_GUILESS_MAIN(CliPeople)
#include "tst_cli_people.moc"
