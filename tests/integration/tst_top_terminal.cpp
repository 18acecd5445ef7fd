// SPDX-License-Identifier: MIT
// How the terminal monitor treats its terminal.
#include <QtTest>
#include <csignal>

#include "top_fixture.h"

using namespace snakepit::shm::test;

constexpr auto kDown = "\033OB";

class TopTerminal : public TopFixture {
    Q_OBJECT

  private Q_SLOTS:
    void init() { begin(); }
    void cleanup() { end(); }

    void the_terminal_is_given_back_however_it_ends_data();
    void the_terminal_is_given_back_however_it_ends();
    void a_broken_line_ends_it();
    void it_is_stopped_and_continued_by_a_shell();
    void no_colour_where_none_is_wanted();
    void hostile_names_reach_no_terminal();
    void where_letters_are_not_unicode_it_draws_with_others();
    void a_terminal_that_cannot_be_drawn_on_is_refused();
};

void TopTerminal::the_terminal_is_given_back_however_it_ends_data() {
    QTest::addColumn<int>("signal");
    QTest::addColumn<QByteArray>("key");
    QTest::addColumn<int>("status");
    QTest::newRow("q") << 0 << QByteArray("q") << 0;
    QTest::newRow("Ctrl-C") << 0 << QByteArray("\003") << 0;
    QTest::newRow("terminated") << SIGTERM << QByteArray() << 0;
    QTest::newRow("hung up") << SIGHUP << QByteArray() << 0;
    QTest::newRow("aborted") << SIGABRT << QByteArray() << -SIGABRT;
    QTest::newRow("bus error") << SIGBUS << QByteArray() << -SIGBUS;
}

void TopTerminal::the_terminal_is_given_back_however_it_ends() {
    QFETCH(int, signal);
    QFETCH(QByteArray, key);
    QFETCH(int, status);
    open();
    QVERIFY(session_->sees("[1 Regions"));
    session_->type("/typing");  // the cursor blinks
    QVERIFY(session_->sees("/typing"));
    if (key == "q") session_->type("\033");
    if (signal != 0)
        session_->signal(signal);
    else
        session_->type(key);
    QCOMPARE(session_->wait(), status);
    QVERIFY(session_->restored());
}

void TopTerminal::a_broken_line_ends_it() {
    open();
    QVERIFY(session_->sees("[1 Regions"));
    session_->hang_up();
    const auto status = session_->wait();
    QVERIFY2(status == 0 || status == -SIGHUP, qPrintable(QString::number(status)));
}

void TopTerminal::it_is_stopped_and_continued_by_a_shell() {
    auto settings = environment();
    settings.insert("TOP", program());
    session_ = std::make_unique<TerminalSession>("/bin/sh", QStringList{"-i"}, settings,
                                                 "xterm-256color", 100, 30);
    QVERIFY(session_->sees([](const TerminalEmulator& screen) {
        return !screen.text().trimmed().isEmpty();  // it prompts
    }));
    session_->type("\"$TOP\" top\n");
    QVERIFY2(session_->sees("[1 Regions"), qPrintable(session_->screen().text()));
    session_->type("\032");
    QVERIFY2(session_->sees([](const TerminalEmulator& screen) { return !screen.other_screen(); }),
             qPrintable(session_->screen().text()));
    session_->type("stty -a | tr ';' '\\n'; echo in the $((40 + 2))\n");
    QVERIFY2(session_->sees("in the 42"), qPrintable(session_->screen().text()));
    QVERIFY(session_->output().contains(" icanon"));
    QVERIFY(session_->output().contains(" echo "));
    session_->type("fg\n");
    QVERIFY2(session_->sees([](const TerminalEmulator& screen) {
        return screen.other_screen() && screen.text().contains("[1 Regions");
    }),
             qPrintable(session_->screen().text()));
    session_->type("2");
    QVERIFY(session_->sees("[2 Programs"));
    session_->type("q");
    QVERIFY(session_->sees([](const TerminalEmulator& screen) { return !screen.other_screen(); }));
    session_->type("exit\n");
    QCOMPARE(session_->wait(), 0);
    QVERIFY(session_->restored());
}

void TopTerminal::no_colour_where_none_is_wanted() {
    open();
    QVERIFY(session_->sees("[1 Regions"));
    QVERIFY(session_->screen().coloured());
    open("vt100");
    QVERIFY(session_->sees("[1 Regions"));
    QVERIFY(!session_->screen().coloured());
    auto settings = environment();
    settings.insert("NO_COLOR", "1");
    session_ = std::make_unique<TerminalSession>(program(), QStringList{"top"}, settings,
                                                 "xterm-256color");
    QVERIFY(session_->sees("[1 Regions"));
    QVERIFY(!session_->screen().coloured());
}

void TopTerminal::hostile_names_reach_no_terminal() {
    // Names that would clear the screen, name the window and turn letters round.
    const auto named = service_->host().path("\033[2J\u202E数");
    QVERIFY(QFile::copy(program(), named));
    Peer peer(named, {"allocate", "8KiB", "--metadata", "note=\033]0;gone\007数据"}, environment());
    QCOMPARE(peer.wait().status, 0);
    open("xterm-256color", 120, 50);
    QVERIFY(session_->sees("8 KiB"));
    session_->type(QByteArray(kDown) + "\r");
    QVERIFY2(session_->sees("[2J�数"), qPrintable(session_->screen().text()));
    QVERIFY2(session_->sees("数据"), qPrintable(session_->screen().text()));
    QVERIFY(!session_->output().contains("\033]0;"));
    QVERIFY(!session_->output().contains("\xE2\x80\xAE"));
    QCOMPARE(session_->screen().surprises(), QStringList{});
}

void TopTerminal::where_letters_are_not_unicode_it_draws_with_others() {
    service_->cli({"allocate", "8KiB"});
    auto settings = environment();
    settings.insert("LC_ALL", "C");
    session_ = std::make_unique<TerminalSession>(program(), QStringList{"top"}, settings,
                                                 "xterm-256color", 100, 30);
    QVERIFY2(session_->sees("SIZEv"), qPrintable(session_->screen().text()));
    QVERIFY(session_->sees("8 KiB"));
    for (const char byte : session_->output()) QVERIFY(static_cast<unsigned char>(byte) < 0x80);
}

void TopTerminal::a_terminal_that_cannot_be_drawn_on_is_refused() {
    for (const auto* terminal : {"no-such-terminal", "dumb"}) {
        open(terminal);
        QCOMPARE(session_->wait(), 2);
        QVERIFY2(session_->output().contains("top --once"), session_->output().constData());
        QVERIFY(session_->restored());
    }
}

QTEST_GUILESS_MAIN(TopTerminal)
#include "tst_top_terminal.moc"
