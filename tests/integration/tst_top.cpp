// SPDX-License-Identifier: MIT
// The terminal monitor in a real pseudo terminal, before a person who types.
#include <QJsonArray>
#include <QtTest>
#include <csignal>

#include "top_fixture.h"

using namespace snakepit::shm::test;

namespace {

constexpr auto kUp = "\033OA", kDown = "\033OB";

// The lines of regions: what stands between the titles and the keys.
QStringList rows(const TerminalEmulator& screen) {
    const auto lines = screen.lines();
    qsizetype titles = 0;
    while (titles < lines.size() && !lines[titles].contains("SIZE")) ++titles;
    QStringList out;
    for (auto i = titles + 1; i + 1 < lines.size(); ++i)
        if (!lines[i].isEmpty()) out += lines[i];
    return out;
}

}  // namespace

class Top : public TopFixture {
    Q_OBJECT

  private Q_SLOTS:
    void init() { begin(); }
    void cleanup() { end(); }

    void it_shows_regions_and_gives_the_terminal_back_data();
    void it_shows_regions_and_gives_the_terminal_back();
    void sorting_changes_the_order();
    void a_filter_narrows_and_escape_takes_it_away();
    void a_killed_holder_disappears();
    void details_show_holders_and_events();
    void locks_and_alerts_are_asked_for();
    void programs_are_listed();
    void it_follows_the_window();
    void it_outlives_its_manager_and_goes_on_with_the_next();
    void output_that_is_no_terminal_gets_frames();

  private:
    QString allocate(const QString& size) {
        return service_->cli_json({"allocate", size}).value("id").toString();
    }
};

void Top::it_shows_regions_and_gives_the_terminal_back_data() {
    QTest::addColumn<QString>("terminal");
    QTest::addColumn<int>("columns");
    QTest::addColumn<int>("lines");
    QTest::newRow("xterm") << "xterm-256color" << 120 << 40;
    QTest::newRow("narrow") << "xterm-256color" << 80 << 24;
    QTest::newRow("tiny") << "xterm-256color" << 40 << 10;
    QTest::newRow("vt100") << "vt100" << 80 << 24;
    QTest::newRow("linux") << "linux" << 80 << 25;
    QTest::newRow("screen") << "screen" << 80 << 24;
}

void Top::it_shows_regions_and_gives_the_terminal_back() {
    QFETCH(QString, terminal);
    QFETCH(int, columns);
    QFETCH(int, lines);
    allocate("64KiB");
    open(terminal, columns, lines);
    QVERIFY2(session_->sees("64 KiB"), qPrintable(session_->screen().text()));
    QVERIFY(session_->screen().lines()[0].startsWith("Snakepit SHM"));
    QVERIFY(!session_->restored());
    const auto another = allocate("32KiB");
    QVERIFY2(session_->sees("32 KiB"), qPrintable(session_->screen().text()));
    QVERIFY(session_->screen().text().contains(another.right(8)));
    session_->type("q");
    QCOMPARE(session_->wait(), 0);
    QVERIFY(session_->restored());
    QCOMPARE(session_->screen().surprises(), QStringList{});
}

void Top::sorting_changes_the_order() {
    const auto big = allocate("1MiB"), small = allocate("4KiB"), middle = allocate("64KiB");
    open();
    const auto order = [&](const QStringList& wanted) {
        return session_->sees([&](const TerminalEmulator& screen) {
            const auto shown = rows(screen);
            if (shown.size() != wanted.size()) return false;
            for (qsizetype i = 0; i < shown.size(); ++i)
                if (!shown[i].contains(wanted[i].right(8))) return false;
            return true;
        });
    };
    QVERIFY2(order({big, middle, small}), qPrintable(session_->screen().text()));
    session_->type("s");
    QVERIFY2(order({small, middle, big}), qPrintable(session_->screen().text()));
    session_->type("a");
    QVERIFY2(order({big, small, middle}), qPrintable(session_->screen().text()));
    session_->type("a");
    QVERIFY2(order({middle, small, big}), qPrintable(session_->screen().text()));
}

void Top::a_filter_narrows_and_escape_takes_it_away() {
    allocate("1MiB");
    allocate("4KiB");
    open();
    QVERIFY(session_->sees("4 KiB"));
    session_->type("/size>64KiB");
    QVERIFY(session_->sees("/size>64KiB"));
    QVERIFY2(session_->sees_no("4 KiB "), qPrintable(session_->screen().text()));
    QVERIFY(session_->sees("filtered: 1 of 2"));
    session_->type(" nonsense=1");
    QVERIFY2(session_->sees("unknown field 'nonsense'"), qPrintable(session_->screen().text()));
    session_->type("\025size<64KiB\r");
    // In the table: the lines above it say how much is in use.
    const auto lists = [](const TerminalEmulator& screen, const char* size) {
        return rows(screen).join('\n').contains(size);
    };
    QVERIFY2(session_->sees([&](const TerminalEmulator& screen) {
        return lists(screen, "4 KiB") && !lists(screen, "1 MiB");
    }),
             qPrintable(session_->screen().text()));
    session_->type("\033");
    QVERIFY(session_->sees([&](const TerminalEmulator& screen) { return lists(screen, "1 MiB"); }));
    QVERIFY(session_->sees_no("filtered"));
}

void Top::a_killed_holder_disappears() {
    const auto owner = service_->python("owner.py");
    const auto id = owner->line();
    open("xterm-256color", 160, 40);
    const auto holder = QString("(%1)").arg(owner->pid());
    QVERIFY2(session_->sees(id), qPrintable(session_->screen().text()));
    QVERIFY(session_->sees([&](const TerminalEmulator& screen) {
        return rows(screen).value(0).count(holder) == 2;  // the owner, and the holder
    }));
    owner->end(SIGKILL);
    QVERIFY2(session_->sees([&](const TerminalEmulator& screen) {
        const auto row = rows(screen).value(0);
        return row.contains(id) && row.contains("orphan") && row.count(holder) == 1;
    }),
             qPrintable(session_->screen().text()));
    QVERIFY(session_->sees("(1 orphan)"));
}

void Top::details_show_holders_and_events() {
    const auto owner = service_->python("owner.py");
    const auto id = owner->line();
    allocate("4KiB");
    open("xterm-256color", 100, 50);
    QVERIFY(session_->sees("Regions 2"));
    session_->type(QByteArray(kDown) + kDown + kUp + "\r");
    QVERIFY2(session_->sees("Region " + id), qPrintable(session_->screen().text()));
    QVERIFY2(session_->sees("Holders, 2 references"), qPrintable(session_->screen().text()));
    QVERIFY2(session_->sees(QString("(%1)").arg(owner->pid())),
             qPrintable(session_->screen().text()));
    QVERIFY2(session_->sees("read and write"), qPrintable(session_->screen().text()));
    QVERIFY2(session_->sees("ago  allocated"), qPrintable(session_->screen().text()));
    session_->type("\033[4~\033[1~d");  // End and Home as PuTTY sends them: no view is changed
    QVERIFY2(session_->sees("type: snakepit-shm deallocate " + id),
             qPrintable(session_->screen().text()));
    owner->end(SIGKILL);
    QVERIFY2(session_->sees("no holders"), qPrintable(session_->screen().text()));
    service_->cli({"deallocate", id});
    QVERIFY2(session_->sees("was freed"), qPrintable(session_->screen().text()));
    session_->type("\033");
    QVERIFY(session_->sees("4 KiB"));
}

void Top::locks_and_alerts_are_asked_for() {
    open();
    session_->type("4");
    QVERIFY2(session_->sees("No region is locked."), qPrintable(session_->screen().text()));
    session_->type("3");
    QVERIFY2(session_->sees_no("Waiting for the manager"), qPrintable(session_->screen().text()));
    QVERIFY(session_->sees("[3 Alerts"));
    session_->type("\t\t");
    QVERIFY(session_->sees("[1 Regions"));
}

void Top::programs_are_listed() {
    const auto owner = service_->python("owner.py");
    QVERIFY(!owner->line().isNull());
    open();
    session_->type("2");
    QVERIFY2(session_->sees([&](const TerminalEmulator& screen) {
        const auto shown = rows(screen).join('\n') + screen.text();
        return screen.text().contains("[2 Programs") &&
               shown.contains(QString::number(owner->pid())) && shown.contains("64 KiB");
    }),
             qPrintable(session_->screen().text()));
    owner->end(SIGKILL);
    QVERIFY2(session_->sees_no(QString::number(owner->pid())) || session_->sees("No programs"),
             qPrintable(session_->screen().text()));
}

void Top::it_follows_the_window() {
    const auto id = allocate("4KiB");
    open("xterm-256color", 160, 40);
    QVERIFY(session_->sees("HOLDERS"));
    QVERIFY(session_->sees(id));
    session_->resize(40, 10);
    QVERIFY2(session_->sees([&](const TerminalEmulator& screen) {
        return screen.lines()[9].startsWith("q quit") && screen.text().contains("4 KiB") &&
               !screen.text().contains("HOLDERS") && !screen.text().contains("Rates");
    }),
             qPrintable(session_->screen().text()));
    session_->resize(3, 2);
    session_->resize(120, 30);
    QVERIFY2(session_->sees([](const TerminalEmulator& screen) {
        return screen.lines()[29].startsWith("q quit") && screen.text().contains("Rates");
    }),
             qPrintable(session_->screen().text()));
}

void Top::it_outlives_its_manager_and_goes_on_with_the_next() {
    allocate("64KiB");
    open();
    QVERIFY(session_->sees(QString("manager %1").arg(service_->pid())));
    service_->kill();
    QVERIFY2(session_->sees("NO MANAGER"), qPrintable(session_->screen().text()));
    QVERIFY(session_->screen().text().contains("64 KiB"));
    session_->type("4");
    QVERIFY2(session_->sees("snakepit-shm serve"), qPrintable(session_->screen().text()));
    session_->type("1");
    QVERIFY(service_->start());
    QVERIFY2(session_->sees(QString("manager %1").arg(service_->pid())),
             qPrintable(session_->screen().text()));
    allocate("32KiB");
    QVERIFY2(session_->sees("32 KiB"), qPrintable(session_->screen().text()));
    // And with one that begins with nothing.
    service_->kill();
    QVERIFY(QFile::remove(service_->host().runtime_dir(service_->instance()) + "/registry"));
    QVERIFY(service_->start());
    allocate("16KiB");
    QVERIFY2(session_->sees([](const TerminalEmulator& screen) {
        return screen.text().contains("16 KiB") && !screen.text().contains("32 KiB");
    }),
             qPrintable(session_->screen().text()));
    session_->type("q");
    QCOMPARE(session_->wait(), 0);
}

void Top::output_that_is_no_terminal_gets_frames() {
    const auto id = allocate("64KiB");
    for (const auto& words : {QStringList{"top"}, QStringList{"top", "--once"}}) {
        const auto frame = service_->cli(words);
        QCOMPARE(frame.status, 0);
        QVERIFY2(frame.out.contains(id) && frame.out.contains("Memory"), qPrintable(frame.out));
        QVERIFY(!frame.out.contains('\033'));
    }
    const auto two = service_->cli({"top", "--batch", "2"});
    QCOMPARE(two.out.count("Snakepit SHM"), 2);
    service_->kill();
    QCOMPARE(service_->cli({"top"}).status, 3);
}

QTEST_GUILESS_MAIN(Top)
#include "tst_top.moc"
