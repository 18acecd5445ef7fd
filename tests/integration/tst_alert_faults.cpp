// SPDX-License-Identifier: MIT
// Hooks that are not there, fail or hang; rules and words that are wrong; rules tried on the past.
#include <QFile>
#include <QJsonArray>
#include <QtTest>

#include "alert_fixture.h"

using namespace snakepit::shm;
using test::kPatienceMs;
using test::Receiver;

class AlertFaults : public QObject, private test::AlertFixture {
    Q_OBJECT

  private Q_SLOTS:
    void init() { QVERIFY(begin()); }
    void cleanup() { end(); }

    void a_webhook_that_is_not_there_is_said_once_and_told_when_it_comes();
    void commands_that_fail_or_are_not_there_stop_nothing();
    void wrong_rules_and_words_are_refused();
    void a_backtest_finds_what_was_recorded();
};

void AlertFaults::a_webhook_that_is_not_there_is_said_once_and_told_when_it_comes() {
    const auto port = receiver_->port();
    receiver_.reset();
    QVERIFY(set_rule(
        {{"name", "any"}, {"metric", "regions_limit"}, {"comparison", ">"}, {"threshold", 0}}));
    QVERIFY(fires("any"));
    QTRY_COMPARE_WITH_TIMEOUT(events("alert_hook_failed"), 1, kPatienceMs);
    const auto hooks = service_->cli_json({"status"})[u"alerts"][u"hooks"].toArray();
    QVERIFY(hooks[1][u"problem"].toString().contains("no response from"));
    QVERIFY(!allocate().isEmpty());  // the service goes on
    receiver_ = std::make_unique<Receiver>(port);
    QCOMPARE(told("any firing"), 1);
    QTRY_COMPARE_WITH_TIMEOUT(events("alert_hook_mended"), 1, kPatienceMs);
    QCOMPARE(events("alert_hook_failed"), 1);
}

void AlertFaults::commands_that_fail_or_are_not_there_stop_nothing() {
    configure({}, "\"/no/such/program\"");
    QCOMPARE(service_->cli({"config", "reload"}).status, 0);
    QVERIFY(set_rule(
        {{"name", "any"}, {"metric", "regions_limit"}, {"comparison", ">"}, {"threshold", 0}}));
    QCOMPARE(told("any firing"), 1);
    QTRY_COMPARE_WITH_TIMEOUT(events("alert_hook_failed"), 1, kPatienceMs);
    configure({}, "\"/bin/sleep\", \"1000\"");
    QCOMPARE(service_->cli({"config", "reload"}).status, 0);
    QCOMPARE(service_->cli({"alerts", "rules", "disable", "any"}).status, 0);
    QCOMPARE(told("any resolved"), 1);  // the others do not wait for it
    QVERIFY(!allocate().isEmpty());
    QCOMPARE(service_->stop(), 0);  // nor does the end
    configure({}, "\"sleep\"");
    const auto wrong = service_->cli({"config", "check"});
    QVERIFY(wrong.status != 0 && wrong.err.contains("full path"));
    QVERIFY(wrong.err.contains("config.toml:5:"));
}

void AlertFaults::wrong_rules_and_words_are_refused() {
    const auto file = service_->host().path("bad.json");
    const auto write = [&](const QByteArray& text) {
        QFile out(file);
        return out.open(QIODevice::WriteOnly) && out.write(text) == text.size();
    };
    QVERIFY(write(R"({"name":"x","metric":"memory_ratio","comparison":">","threshold":90})"));
    for (const auto* word : {"check", "set"}) {
        const auto done = service_->cli({"alerts", "rules", word, file, "--json"});
        QCOMPARE(done.status, 2);
        QCOMPARE(done.error()[u"code"].toString(), QString("alert_rule_invalid"));
        QVERIFY(done.err.contains("'threshold'"));
    }
    QVERIFY(write("{\n  nonsense"));
    QVERIFY(service_->cli({"alerts", "rules", "check", file}).err.contains("the rule:2:"));
    QVERIFY(write(R"({"name":"x","metric":"memory_ratio","comparison":">","threshold":0.9})"));
    QCOMPARE(service_->cli({"alerts", "rules", "check", file}).status, 0);
    // No file, a directory, one without an end.
    for (const auto* none : {"/no/such/file", "/tmp", "/dev/zero"}) {
        QCOMPARE(service_->cli({"alerts", "rules", "check", none}).status,
                 none == QByteArray("/dev/zero") ? 2 : 1);
        QVERIFY(service_->cli({"policy", "check", none}).status > 0);  // not ended by a signal
    }
    // What is complained of cannot move the cursor of who reads the complaint.
    QVERIFY(write("{\"\\u001b[2J\\u009b1m\":1}"));
    const auto words = service_->cli({"alerts", "rules", "check", file, "--json"});
    QVERIFY(words.status == 2 && words.err.contains("unknown field"));
    QVERIFY(!words.err.contains(QChar(0x1b)) && !words.err.contains(QChar(0x9b)));
    QVERIFY(words.error()[u"message"].toString().contains(QChar(0x9b)));
    QCOMPARE(service_->cli({"alerts", "rules", "enable", "nobody"}).status, 1);
    QCOMPARE(service_->cli({"alerts", "rules", "remove", "nobody"}).status, 1);
    QCOMPARE(service_->cli({"alerts", "silence", "--rule", "orphans"}).status, 2);
    const auto nothing =
        service_->cli({"alerts", "silence", "--rule", "deadlock", "--until-resolved"});
    QCOMPARE(nothing.status, 1);
    QVERIFY(nothing.err.contains("no current alert"));
    QCOMPARE(service_->cli({"alerts", "silence", "--rule", "x", "--for", "1h"}).status, 1);
    QCOMPARE(service_->cli({"alerts", "unsilence", "77"}).status, 1);
    // One of the default set comes back as it was.
    QVERIFY(change_rule("orphans", {{"threshold", 5}}));
    QCOMPARE(service_->cli({"alerts", "rules", "remove", "orphans"}).status, 0);
    QVERIFY(service_->cli({"alerts", "rules"}).out.contains("orphan_regions > 0"));
}

void AlertFaults::a_backtest_finds_what_was_recorded() {
    for (int i = 0; i < 3; ++i) QVERIFY(!allocate().isEmpty());
    const auto file = service_->host().path("rule.json");
    QVERIFY(set_rule({{"name", "made"},
                      {"event", "allocated"},
                      {"comparison", ">="},
                      {"threshold", 3},
                      {"window_ms", 60'000}}));
    QJsonObject result;
    QVERIFY(QTest::qWaitFor(
        [&] {
            result = service_->cli_json({"alerts", "backtest", "made", "--since", "1h"});
            return result[u"firings"].toArray().size() == 1;
        },
        kPatienceMs));
    QCOMPARE(result[u"firings"][0][u"worst"].toDouble(), 3.0);
    service_->stop();
    const auto words = service_->cli({"alerts", "backtest", "--file", file});
    QVERIFY2(words.out.contains("would have fired once"), qPrintable(words.out + words.err));
    QCOMPARE(service_->cli({"alerts", "backtest", "deadlock"}).status, 0);
    QCOMPARE(service_->cli({"alerts", "backtest"}).status, 2);
}

QTEST_GUILESS_MAIN(AlertFaults)
#include "tst_alert_faults.moc"
