// SPDX-License-Identifier: MIT
// The AlertManager on a registry of its own, with a clock and a service thread of the test's.
#include <unistd.h>

#include <QDir>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTemporaryDir>
#include <QtTest>
#include <deque>
#include <mutex>

#include "alerts/alert_manager.h"

using namespace snakepit::shm;

namespace {

constexpr int kPatienceMs = 30'000;

QJsonObject object(const std::string& json) {
    return QJsonDocument::fromJson(QByteArray::fromStdString(json)).object();
}

// An instance's directories and registry, and managers one after the other.
class Stage {
  public:
    Stage() {
        paths.instance = "test";
        paths.runtime_dir = directory_.filePath("run").toStdString();
        paths.state_dir = directory_.filePath("state").toStdString();
        (void)prepare_directories(paths);
        registry = std::move(*RegionRegistry::open(paths));
    }
    ~Stage() { manager.reset(); }  // while it can still post
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;
    // As if killed, as far as that is possible inside one process: what was not asked to be
    // written is not.
    void start() {
        manager.reset();
        manager = std::make_unique<AlertManager>(*registry,
                                                 std::make_shared<StateDatabase>(paths.state_db()),
                                                 [this](std::function<void()> work) {
                                                     const std::lock_guard lock(mutex_);
                                                     posted_.push_back(std::move(work));
                                                 });
        options.journal = false;
        options.command = {"/bin/sh", "-c", "cat >> " + told_file() + "; echo >> " + told_file()};
        manager->configure(options);
    }
    // One second of the service.
    void second(std::uint64_t regions = 0) {
        work();
        layout::Sample sample{};
        sample.time = now().micros;
        sample.regions = regions;
        sample.recorder_writable = 1;
        manager->evaluate(sample, {});
    }
    Result<std::string> ask(const std::string& action, const std::string& arguments = "{}") {
        std::optional<Result<std::string>> answer;
        manager->request({::getpid(), ::getuid()}, action, arguments,
                         [&](Result<std::string> json) { answer = std::move(json); });
        (void)QTest::qWaitFor(
            [&] {
                work();
                return answer.has_value();
            },
            kPatienceMs);
        return answer ? *answer : fail(ErrorCode::timeout, "no answer came");
    }
    QJsonArray alerts(const std::string& action, const char* list = "alerts") {
        const auto json = ask(action);
        return json ? object(*json)[QLatin1String(list)].toArray() : QJsonArray();
    }
    bool set_rule(const std::string& json) {
        const auto done = ask("set_rule", json);
        if (!done) qWarning("%s", done.error().message.c_str());
        return done.has_value();
    }
    QList<QJsonObject> told() const {
        QList<QJsonObject> out;
        QFile file(QString::fromStdString(told_file()));
        if (!file.open(QIODevice::ReadOnly)) return out;
        for (const auto& line : file.readAll().split('\n'))
            if (!line.isEmpty()) out += QJsonDocument::fromJson(line).object();
        return out;
    }
    bool was_told(int messages) const {
        return QTest::qWaitFor([&] { return told().size() >= messages; }, kPatienceMs);
    }
    int events(EventKind kind) const {
        int out = 0;
        for (std::uint64_t seq = 1; seq <= registry->ring().head(); ++seq)
            if (const auto* entry = registry->ring().entry(seq))
                out += entry->kind == static_cast<std::uint16_t>(kind) ? 1 : 0;
        return out;
    }

    InstancePaths paths;
    std::unique_ptr<RegionRegistry> registry;
    AlertOptions options;
    std::unique_ptr<AlertManager> manager;

  private:
    std::string told_file() const { return directory_.filePath("told").toStdString(); }
    void work() {
        for (;;) {
            std::function<void()> next;
            {
                const std::lock_guard lock(mutex_);
                if (posted_.empty()) return;
                next = std::move(posted_.front());
                posted_.pop_front();
            }
            next();
        }
    }
    QTemporaryDir directory_;
    std::mutex mutex_;
    std::deque<std::function<void()>> posted_;
};

constexpr auto kMany =
    R"({"name":"many","metric":"regions","comparison":">","threshold":10,"severity":"critical"})";

constexpr auto kFew = R"({"name":"few","metric":"regions","comparison":"<","threshold":1})";

}  // namespace

class AlertManagerTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void what_fires_goes_on_with_the_next_manager_and_is_told_once();
    void a_database_that_cannot_be_opened_stops_nothing();
    void an_index_cut_short_under_it_costs_no_rule();
    void rows_that_cannot_be_read_are_named_and_left_out();
    void events_of_a_time_without_a_manager_are_judged_as_of_then();
    void events_that_were_seen_are_not_seen_again();
    void who_is_told_is_who_asked_for_that_severity();
    void history_comes_in_pages();
    void a_rule_that_is_gone_behind_our_back_leaves_nothing_firing();
    void two_hundred_subjects_are_told_in_a_few_messages();
};

void AlertManagerTest::what_fires_goes_on_with_the_next_manager_and_is_told_once() {
    Stage stage;
    stage.start();
    QVERIFY(stage.set_rule(kMany));
    stage.second(11);
    QCOMPARE(stage.alerts("list").size(), 1);
    QCOMPARE(stage.manager->firing(), std::uint64_t{1});
    QVERIFY(stage.was_told(1));
    stage.start();
    QCOMPARE(stage.alerts("list").size(), 1);
    stage.second(12);
    QCOMPARE(stage.manager->unacknowledged(), std::uint64_t{1});
    QVERIFY(stage.ask("ack", R"({"id":1,"comment":"c"})"));
    QCOMPARE(stage.manager->unacknowledged(), std::uint64_t{0});
    stage.start();
    stage.second(1);
    QCOMPARE(stage.alerts("list").size(), 0);
    QVERIFY(stage.was_told(2));
    const auto history = stage.alerts("history");
    QCOMPARE(history.size(), 1);
    QCOMPARE(history[0][u"state"].toString(), "resolved");
    QCOMPARE(history[0][u"acknowledgement"].toString(), "c");
    QCOMPARE(history[0][u"worst"].toDouble(), 12.0);
    QCOMPARE(stage.told().size(), 2);
    QCOMPARE(stage.told()[1][u"status"].toString(), "resolved");
    QCOMPARE(stage.events(EventKind::alert_fired), 1);
    QCOMPARE(stage.events(EventKind::alert_resolved), 1);
    stage.second(11);
    QCOMPARE(stage.alerts("list")[0][u"id"].toInt(), 2);
}

void AlertManagerTest::a_database_that_cannot_be_opened_stops_nothing() {
    Stage stage;
    const auto file = QString::fromStdString(stage.paths.state_db());
    QVERIFY(QDir().mkpath(file));
    stage.start();
    QVERIFY(!object(stage.manager->state_json())[u"problem"].toString().isEmpty());
    stage.second();
    QVERIFY(!stage.ask("set_rule", kMany));  // its row is the truth
    layout::Sample sample{};
    sample.time = now().micros;
    sample.health_problems = 3;
    sample.recorder_writable = 1;
    stage.manager->evaluate(sample, {});
    const auto live = stage.alerts("list");
    QCOMPARE(live.size(), 1);
    QCOMPARE(live[0][u"rule"].toString(), "health");
    QVERIFY(stage.was_told(1));
    const auto ack =
        stage.ask("ack", QString(R"({"id":%1})").arg(live[0][u"id"].toInteger()).toStdString());
    QVERIFY(!ack && ack.error().code == ErrorCode::database_unavailable);
    QCOMPARE(stage.manager->unacknowledged(), std::uint64_t{0});  // it holds all the same
    // What could not be written is when it can be.
    QVERIFY(QDir().rmdir(file));
    QVERIFY(QTest::qWaitFor([&] { return stage.alerts("history").size() == 1; }, kPatienceMs));
    QVERIFY(stage.set_rule(kMany));
}

void AlertManagerTest::an_index_cut_short_under_it_costs_no_rule() {
    Stage stage;
    stage.start();
    QVERIFY(stage.set_rule(kMany));
    QVERIFY(QFile::resize(QString::fromStdString(stage.paths.state_db()) + "-shm", 0));
    // The write that meets it may fail, and says so.
    QVERIFY(QTest::qWaitFor([&] { return stage.set_rule(kFew); }, kPatienceMs));
    stage.start();
    QByteArray names;
    for (const auto& rule : stage.alerts("rules", "rules"))
        names += rule[u"name"].toString().toUtf8() + ' ';
    QVERIFY(names.contains("many ") && names.contains("few "));
}

void AlertManagerTest::rows_that_cannot_be_read_are_named_and_left_out() {
    Stage stage;
    stage.start();
    QVERIFY(stage.set_rule(kMany));
    stage.manager.reset();
    AlertStore store(std::make_shared<StateDatabase>(stage.paths.state_db()));
    AlertBatch batch;
    batch.rules.emplace_back();
    batch.rules.back().name = "broken";  // watches nothing
    store.write(batch, true);
    store.wait();
    QCOMPARE(store.problem(), std::string());
    stage.start();
    QVERIFY(object(stage.manager->state_json())[u"problem"].toString().contains("'metric'"));
    QByteArray names;
    for (const auto& rule : stage.alerts("rules", "rules"))
        names += rule[u"name"].toString().toUtf8() + ' ';
    QVERIFY(names.contains("many ") && !names.contains("broken "));
}

void AlertManagerTest::events_of_a_time_without_a_manager_are_judged_as_of_then() {
    Stage stage;
    stage.start();
    stage.second();
    QVERIFY(stage.set_rule(R"({"name":"gone","event":"refused","comparison":">=","threshold":1,
                               "window_ms":1000,"group":"user"})"));
    stage.manager.reset();
    stage.registry->record(
        {.kind = EventKind::refused, .pid = 5, .uid = 4'000'000'000, .text = "map: no"});
    QTest::qWait(3100);  // no manager looks for longer than the window
    stage.start();
    stage.second();
    stage.second();
    // The default set has a rule of its own for this.
    QVERIFY(QTest::qWaitFor([&] { return stage.told().size() >= 3; }, kPatienceMs));
    int found = 0;
    for (const auto& alert : stage.alerts("history"))
        if (alert[u"rule"].toString() == "gone") {
            ++found;
            QCOMPARE(alert[u"state"].toString(), "resolved");
            QCOMPARE(alert[u"subject"].toString(), "4000000000");
        }
    QCOMPARE(found, 1);
}

void AlertManagerTest::events_that_were_seen_are_not_seen_again() {
    Stage stage;
    stage.start();
    QVERIFY(stage.set_rule(R"({"name":"two","event":"restored","comparison":">=","threshold":2,
                               "window_ms":"1h"})"));
    stage.registry->record({.kind = EventKind::restored, .pid = 5});
    stage.second();
    QCOMPARE(stage.alerts("list").size(), 0);
    for (int i = 0; i < 3; ++i) {
        stage.start();  // the window is filled again, and counts it once
        stage.second();
        QCOMPARE(stage.alerts("list").size(), 0);
    }
    stage.registry->record({.kind = EventKind::restored, .pid = 6});
    stage.second();
    QCOMPARE(stage.alerts("list").size(), 1);
    QCOMPARE(stage.alerts("list")[0][u"value"].toDouble(), 2.0);
    QVERIFY(stage.set_rule(R"({"name":"two","event":"restored","comparison":">=","threshold":1,
                               "window_ms":"1h"})"));
    stage.second();
    QCOMPARE(stage.alerts("list")[0][u"id"].toInt(), 1);  // it goes on
    QCOMPARE(stage.alerts("list")[0][u"value"].toDouble(), 2.0);
}

void AlertManagerTest::who_is_told_is_who_asked_for_that_severity() {
    Stage stage;
    stage.options.min_severity = AlertSeverity::critical;
    stage.start();
    QVERIFY(stage.set_rule(R"({"name":"few","metric":"regions","comparison":">","threshold":1})"));
    QVERIFY(stage.set_rule(kMany));
    stage.second(11);
    QCOMPARE(stage.alerts("list").size(), 2);
    QCOMPARE(stage.alerts("list")[0][u"rule"].toString(), "many");  // the worst first
    QVERIFY(stage.was_told(1));
    stage.second(0);
    QVERIFY(stage.was_told(2));
    for (const auto& message : stage.told()) QCOMPARE(message[u"rule"].toString(), "many");
}

void AlertManagerTest::history_comes_in_pages() {
    Stage stage;
    stage.start();
    QVERIFY(stage.set_rule(kMany));
    for (int i = 0; i < 4; ++i) {
        stage.second(11);
        stage.second(1);
    }
    std::vector<int> ids;
    QJsonObject arguments{{"limit", 3}};
    for (bool more = true; more;) {
        const auto json = stage.ask(
            "history", QJsonDocument(arguments).toJson(QJsonDocument::Compact).toStdString());
        QVERIFY(json);
        const auto page = object(*json);
        for (const auto& alert : page[u"alerts"].toArray()) ids.push_back(alert[u"id"].toInt());
        more = page[u"more"].toBool();
        arguments[u"before"] = page[u"before"];
    }
    QCOMPARE(ids, (std::vector<int>{4, 3, 2, 1}));
    QCOMPARE(object(*stage.ask("history", R"({"rule":"other"})"))[u"alerts"].toArray().size(), 0);
    QVERIFY(!stage.ask("history", R"({"limit":0})"));
    QVERIFY(!stage.ask("nonsense"));
}

void AlertManagerTest::a_rule_that_is_gone_behind_our_back_leaves_nothing_firing() {
    Stage stage;
    stage.start();
    QVERIFY(stage.set_rule(kMany));
    stage.second(11);
    QCOMPARE(stage.alerts("history").size(), 1);
    stage.manager.reset();
    AlertStore store(std::make_shared<StateDatabase>(stage.paths.state_db()));
    AlertBatch batch;
    batch.removed_rules = {"many"};
    store.write(batch, true);
    store.wait();
    QCOMPARE(store.problem(), std::string());
    stage.start();
    QCOMPARE(stage.alerts("list").size(), 0);
    QCOMPARE(stage.alerts("history")[0][u"state"].toString(), "resolved");
}

void AlertManagerTest::two_hundred_subjects_are_told_in_a_few_messages() {
    Stage stage;
    stage.start();
    stage.second();
    for (std::uint32_t user = 0; user < 200; ++user)
        stage.registry->record(
            {.kind = EventKind::refused, .pid = 5, .uid = 3'000'000'000U + user});
    stage.second();
    const auto json = stage.ask("list");
    QVERIFY(json && json->size() < 60'000);  // one frame
    QCOMPARE(object(*json)[u"alerts"].toArray().size() + object(*json)[u"left_out"].toInt(), 200);
    QVERIFY(stage.was_told(2));
    int alerts = 0;
    for (const auto& message : stage.told())
        alerts += static_cast<int>(message[u"alerts"].toArray().size());
    QCOMPARE(alerts, 200);
    QCOMPARE(stage.told().size(), 2);
}

QTEST_GUILESS_MAIN(AlertManagerTest)
#include "tst_alert_manager.moc"
