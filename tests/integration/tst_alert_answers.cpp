// SPDX-License-Identifier: MIT
// Alerts live longer than the manager, and so does what people said about them; who may say it.
#include <sys/stat.h>
#include <unistd.h>

#include <QJsonArray>
#include <QStandardPaths>
#include <QtTest>

#include "alert_fixture.h"

using namespace snakepit::shm;
using test::kPatienceMs;
using test::Peer;

namespace {

constexpr auto kStranger = 65'534;  // a user who is nobody in particular

}  // namespace

class AlertAnswers : public QObject, private test::AlertFixture {
    Q_OBJECT

  private Q_SLOTS:
    void init() { QVERIFY(begin()); }
    void cleanup() { end(); }

    void what_was_mended_while_no_manager_ran_is_resolved_by_the_next();
    void what_happened_while_no_manager_looked_is_not_missed();
    void who_has_seen_it_and_who_wants_silence_is_kept_across_a_kill();
    void operators_answer_and_administrators_set_rules();

  private:
    test::Finished as_stranger(const QStringList& words) const;

    QTemporaryDir bin_;
};

void AlertAnswers::what_was_mended_while_no_manager_ran_is_resolved_by_the_next() {
    QVERIFY(set_rule(
        {{"name", "any"}, {"metric", "regions_limit"}, {"comparison", "<="}, {"threshold", 5}}));
    configure("max_regions = 5\nmax_regions_per_process = 5");
    QCOMPARE(service_->cli({"config", "reload"}).status, 0);
    QVERIFY(fires("any"));
    QCOMPARE(told("any firing"), 1);
    service_->kill();
    configure();
    QVERIFY(service_->start());
    QVERIFY(is_resolved("any"));
    QCOMPARE(told("any resolved"), 1);
    QCOMPARE(told("any firing"), 1);
}

void AlertAnswers::what_happened_while_no_manager_looked_is_not_missed() {
    QVERIFY(set_rule({{"name", "made"},
                      {"event", "allocated"},
                      {"comparison", ">="},
                      {"threshold", 1},
                      {"window_ms", 1000}}));
    // At most a moment after it was allocated: often before the rules are looked at.
    const auto id = allocate();
    service_->kill();
    QVERIFY(!id.isEmpty());
    QTest::qWait(2500);  // longer than the window
    QVERIFY(service_->start());
    QVERIFY(is_resolved("made"));
    QCOMPARE(told("made resolved"), 1);
    QCOMPARE(told("made firing"), 1);
    QVERIFY(service_->restart_after_kill());
    QVERIFY(is_resolved("made"));
    QCOMPARE(events("alert_fired"), 1);
}

void AlertAnswers::who_has_seen_it_and_who_wants_silence_is_kept_across_a_kill() {
    const QJsonObject rule{
        {"name", "any"}, {"metric", "regions_limit"}, {"comparison", ">"}, {"threshold", 0}};
    const auto made = service_->cli_json(
        {"alerts", "silence", "--for", "1h", "--subject", "nobody", "--comment", "quiet"});
    QVERIFY(made[u"id"].toInt() > 0);
    QVERIFY(set_rule(rule));
    QVERIFY(fires("any"));
    QCOMPARE(told("any firing"), 1);
    const auto id = alerts_of("any", "firing").front()[u"id"].toInt();
    QCOMPARE(service_->cli({"alerts", "ack", QString::number(id), "--comment", "known"}).status, 0);
    QCOMPARE(service_->cli({"alerts", "silence", "--rule", "any", "--until-resolved"}).status, 0);
    QVERIFY(service_->restart_after_kill());
    QVERIFY(fires("any"));
    const auto alert = alerts_of("any", "firing").front();
    QCOMPARE(alert[u"id"].toInt(), id);
    QCOMPARE(alert[u"acknowledgement"].toString(), QString("known"));
    QVERIFY(!alert[u"acknowledged_by"].toString().isEmpty());
    QVERIFY(alert[u"silenced"].toBool());
    QCOMPARE(service_->cli_json({"alerts", "silences"})[u"silences"].toArray().size(), 2);
    // Switched off it is over, and with it the silence that waits for that.
    QCOMPARE(service_->cli({"alerts", "rules", "disable", "any"}).status, 0);
    QVERIFY(is_resolved("any"));
    QTRY_COMPARE_WITH_TIMEOUT(
        service_->cli_json({"alerts", "silences"})[u"silences"].toArray().size(), 1, kPatienceMs);
    QCOMPARE(service_->cli({"alerts", "unsilence", QString::number(made[u"id"].toInt())}).status,
             0);
    QCOMPARE(events("alert_acknowledged"), 1);
    QCOMPARE(events("alert_silenced"), 2);
    QCOMPARE(events("alert_unsilenced"), 2);
    QCOMPARE(service_->cli({"alerts", "ack", "99999"}).status, 1);
    // Nobody is told of what is silenced from the beginning.
    QCOMPARE(service_->cli({"alerts", "silence", "--rule", "any", "--for", "1h"}).status, 0);
    QCOMPARE(service_->cli({"alerts", "rules", "enable", "any"}).status, 0);
    QVERIFY(fires("any"));
    QCOMPARE(service_->cli({"alerts", "rules", "remove", "any"}).status, 0);
    QTRY_COMPARE_WITH_TIMEOUT(alerts_of("any", "resolved", {"--history"}).size(), 2, kPatienceMs);
    QCOMPARE(told("any firing"), 1);
    QCOMPARE(told("any resolved"), 1);
}

test::Finished AlertAnswers::as_stranger(const QStringList& words) const {
    const auto& host = service_->host();
    // Where others may run it from; the build directory need not be open to anybody.
    const auto program = bin_.filePath("snakepit-shm");
    if (!QFile::exists(program))
        QFile::copy(QCoreApplication::applicationDirPath() + "/snakepit-shm", program);
    ::chmod(qPrintable(bin_.path()), 0755);
    ::chmod(qPrintable(program), 0755);
    const auto runtime = host.runtime_dir("test");
    for (auto directory = runtime; directory.size() >= host.path("").size() - 1;
         directory.truncate(directory.lastIndexOf('/')))
        ::chmod(qPrintable(directory), 0711);
    const auto id = QString::number(kStranger);
    return Peer("setpriv",
                QStringList{"--reuid", id, "--regid", id, "--clear-groups", program} + words,
                host.environment("test"))
        .wait();
}

void AlertAnswers::operators_answer_and_administrators_set_rules() {
    if (::geteuid() != 0 || QStandardPaths::findExecutable("setpriv").isEmpty())
        QSKIP("only root can be somebody else");
    QCOMPARE(service_->stop(), 0);
    configure("socket_mode = \"0666\"");
    QVERIFY(service_->start());
    QCOMPARE(as_stranger({"alerts"}).status, 4);
    QVERIFY(fires("refused"));
    QCOMPARE(told("refused firing"), 1);
    const auto id = alerts_of("refused", "firing").front()[u"id"].toInt();
    QCOMPARE(as_stranger({"alerts", "ack", QString::number(id)}).status, 4);

    configure(QString("socket_mode = \"0666\"\n[shared_memory.roles]\noperators = [ \"%1\" ]")
                  .arg(kStranger));
    QCOMPARE(service_->cli({"config", "reload"}).status, 0);
    const auto seen = as_stranger({"alerts", "ack", QString::number(id)});
    QVERIFY2(seen.status == 0, qPrintable(seen.err));
    QCOMPARE(as_stranger({"alerts", "silence", "--rule", "refused", "--until-resolved"}).status, 0);
    QCOMPARE(as_stranger({"alerts", "rules"}).status, 0);
    QCOMPARE(as_stranger({"alerts", "rules", "disable", "refused"}).status, 4);
    QVERIFY(!alerts_of("refused", "firing").front()[u"acknowledged_by"].toString().isEmpty());
    QCOMPARE(told("refused firing"), 1);
}

QTEST_GUILESS_MAIN(AlertAnswers)
#include "tst_alert_answers.moc"
