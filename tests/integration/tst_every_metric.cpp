// SPDX-License-Identifier: MIT
// Each metric there is gets a value from what really happens: the tables of metrics are gone
// through, and one that stays at zero while everything below goes on fails the test.
#include <atomic>
#include <thread>

#include "base/lock_owner.h"
#include "every_fixture.h"
#include "host_history/history_store.h"
#include "layout/metrics.h"
#include "layout/registry_reader.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

namespace {

constexpr const char* kConfiguration =
    "max_regions = 2000\nmax_total_memory = \"64MiB\"\nmax_region_size = \"32MiB\"\n"
    "max_regions_per_user = 1500\nmax_memory_per_user = \"48MiB\"\n"
    "health_check_interval = \"1s\"\nenable_defragmentation = false\n"
    "host_history_interval = ";

// What the metrics of single subjects have to reach for their rules, which is not much.
constexpr const char* kSubjectRule =
    R"({"name":"%1","metric":"%1","comparison":">","threshold":0,"severity":"info"})";

RegionId parsed(const QString& id) {
    return RegionId::parse(id.toStdString()).value_or(RegionId{});
}

}  // namespace

class EveryMetric : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void cleanupTestCase();
    void each_metric_gets_a_value_data();
    void each_metric_gets_a_value();
    void the_recorder_is_seen_to_fail();
    void each_metric_of_subjects_reaches_its_rule_data();
    void each_metric_of_subjects_reaches_its_rule();
    void each_metric_that_is_sampled_is_shown_to_prometheus();

  private:
    void regions_of_all_kinds();
    void locks();
    void what_is_refused();
    void a_database_that_is_locked();
    void a_program_that_grows();
    std::vector<layout::Sample> samples() const {
        const auto reader = RegistryReader::open(s_->runtime("registry").toStdString());
        return reader ? reader->samples(0) : std::vector<layout::Sample>();
    }

    std::unique_ptr<Situation> s_;
    std::unique_ptr<ManagerClient> client_, other_;
    std::thread leaks_, waits_;
    std::unique_ptr<QFile> segment_;
    std::atomic<bool> stop_{false}, has_second_{false};
};

void EveryMetric::initTestCase() {
    s_ = std::make_unique<Situation>(QString(kConfiguration) + "0");
#define X(name, unit, help)                                                                       \
    Situation::write(s_->service.host().path("rule.json"),                                        \
                     QString(kSubjectRule).arg(#name).toUtf8());                                  \
    QCOMPARE(                                                                                     \
        s_->service.cli({"alerts", "rules", "set", s_->service.host().path("rule.json")}).status, \
        0);                                                                                       \
    QFile::remove(s_->service.host().path("rule.json"));
    SNAKEPIT_SHM_SUBJECT_METRICS(X)
#undef X
    client_ = s_->client();
    other_ = s_->client();
    QVERIFY(client_ && other_);
    // Takes references for a minute and gives none back.
    leaks_ = std::thread([this, id = s_->region()] {
        const auto leaking = s_->client();
        while (!stop_ && leaking->map(id, AccessMode::read_only))
            std::this_thread::sleep_for(std::chrono::milliseconds(200));
    });
    regions_of_all_kinds();
    locks();
    what_is_refused();
    a_database_that_is_locked();
    a_program_that_grows();
}

void EveryMetric::cleanupTestCase() {
    stop_ = true;
    if (s_ && s_->service.running()) s_->service.kill();  // ends the waits
    if (leaks_.joinable()) leaks_.join();
    if (waits_.joinable()) waits_.join();
    client_.reset();
    other_.reset();
    s_.reset();
}

void EveryMetric::regions_of_all_kinds() {
    const auto gone = s_->region({"1MiB"}), idle = s_->region({"1MiB"});  // a hole, and one behind
    QVERIFY(client_->deallocate(gone) && client_->quarantine(s_->region()));
    QVERIFY(client_->allocate(4096).has_value());
    const auto cut = s_->allocate({"64KiB", "--placement", "dedicated"});
    QVERIFY(QFile::resize(s_->segment(cut), 4096));
    auto owner = s_->client();
    QVERIFY(owner->allocate(4096).has_value());
    owner.reset();  // leaves an orphan
    for (int i = 0; i < 2000; ++i) {
        const auto mapping = client_->map(idle, AccessMode::read_only);
        QVERIFY(mapping && client_->unmap(*mapping));
    }
    QVERIFY(s_->waits_for(EventKind::owner_gone));
}

void EveryMetric::locks() {
    const auto first = s_->region(), second = s_->region();
    QVERIFY(client_->lock(first, AccessMode::read_write, 0).has_value());
    QVERIFY(!other_->lock(first, AccessMode::read_write, 20, kFirstOwner));
    waits_ = std::thread([this, first, second] {
        has_second_ = other_->lock(second, AccessMode::read_write, 0).has_value();
        (void)other_->lock(first, AccessMode::read_write, kLockForever);
    });
    const auto refused = [&] {
        if (!has_second_) return false;
        const auto got = client_->lock(second, AccessMode::read_write, 20);
        return !got && got.error().code == ErrorCode::deadlock;
    };
    QVERIFY(QTest::qWaitFor(refused, kPatienceMs));
    auto dying = s_->client(), next = s_->client();
    const auto third = s_->region();
    QVERIFY(dying->lock(third, AccessMode::read_write, 0).has_value());
    std::thread gets([&] { (void)next->lock(third, AccessMode::read_only, kPatienceMs); });
    QTRY_COMPARE_WITH_TIMEOUT(
        s_->service
            .cli_json({"locks", QString::fromStdString(third.str())})["locks"][0]["waiter_count"]
            .toInt(),
        1, kPatienceMs);
    dying.reset();  // the region is inconsistent, and the wait has been one
    gets.join();
    // `next` only read: inconsistent it stays.
}

void EveryMetric::what_is_refused() {
    QVERIFY(!client_->allocate(40 << 20));
    // Where the memory was there is somebody else's file: that is a violation of security.
    const auto id = s_->allocate({"64KiB", "--placement", "dedicated"}), path = s_->segment(id);
    QVERIFY(QFile::remove(path));
    Situation::write(path, "not ours");
    QVERIFY(!client_->deallocate(parsed(id)));
    QVERIFY(QFile::remove(path));
}

void EveryMetric::a_database_that_is_locked() {
    sqlite3* raw = nullptr;
    QCOMPARE(sqlite3_open(s_->state("events.db").toUtf8().constData(), &raw), SQLITE_OK);
    const auto locked = [&] {  // asked once more, it would not begin again
        return sqlite3_exec(raw, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK;
    };
    QVERIFY(QTest::qWaitFor(locked, kPatienceMs));
    // More events than the ring holds.
    const auto reader = RegistryReader::open(s_->runtime("registry").toStdString());
    QVERIFY(reader.has_value());
    const auto lost = [&] {
        const auto newest = reader->newest_sample();
        return newest && newest->events_lost > 0 && newest->recorder_writable == 0;
    };
    RegionOptions asks;  // for two events each, and not one for all of them
    asks.placement = Placement::pooled;
    for (int i = 0; !lost(); ++i) {
        const auto id = client_->allocate(1, asks);
        QVERIFY(id && client_->deallocate(*id));
        QVERIFY(i < 1'000'000);
    }
    QCOMPARE(sqlite3_exec(raw, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(raw);
}

// This program, which has a segment now and had less of it before.
void EveryMetric::a_program_that_grows() {
    constexpr double kSize = 1 << 20;
    constexpr std::int64_t kMinute = 60'000'000;
    QFile name("/proc/self/comm");
    QVERIFY(name.open(QIODevice::ReadOnly));
    {
        auto store = HistoryStore::open(s_->state("host_history.db").toStdString());
        QVERIFY(store.has_value());
        UsageTotal total;
        total.name = name.readAll().trimmed().toStdString();
        for (int i = 0; i < 75; ++i) {
            total.bytes = total.most_bytes = kSize / 100 * i;
            HostTotals totals{.time = {now().micros - (75 - i) * kMinute}};
            totals.by[0] = {total};
            QVERIFY(store->add(totals));
        }
    }
    segment_ = std::make_unique<QFile>(s_->service.host().path("segments/growing"));
    QVERIFY(segment_->open(QIODevice::ReadWrite));
    QCOMPARE(segment_->write(QByteArray(static_cast<int>(kSize), 'x')), qint64{1 << 20});
    QVERIFY(segment_->flush());
    s_->service.host().configure(QString(kConfiguration) + "\"1s\"");
    QCOMPARE(s_->service.cli({"config", "reload"}).status, 0);
}

void EveryMetric::each_metric_gets_a_value_data() {
    QTest::addColumn<int>("index");
    const auto all = metrics();
    for (std::size_t i = 0; i < all.size(); ++i)
        QTest::newRow(std::string(all[i].name).c_str()) << int(i);
}

void EveryMetric::each_metric_gets_a_value() {
    QFETCH(int, index);
    const auto& metric = metrics()[static_cast<std::size_t>(index)];
    const auto has_value = [&] {
        const auto all = samples();
        return std::any_of(all.begin(), all.end(),
                           [&](const layout::Sample& sample) { return metric.value(sample) > 0; });
    };
    // A leak is one after a minute.
    QVERIFY(QTest::qWaitFor(has_value, 4 * kPatienceMs));
}

void EveryMetric::the_recorder_is_seen_to_fail() {
    const auto all = samples();
    QVERIFY(std::any_of(all.begin(), all.end(), [](const layout::Sample& sample) {
        return sample.recorder_writable == 0;
    }));
}

void EveryMetric::each_metric_of_subjects_reaches_its_rule_data() {
    QTest::addColumn<QString>("name");
    for (const auto name : subject_metrics())
        QTest::newRow(std::string(name).c_str()) << QString::fromStdString(std::string(name));
}

void EveryMetric::each_metric_of_subjects_reaches_its_rule() {
    QFETCH(QString, name);
    const auto fires = [&] {
        const auto alerts = s_->service.cli_json({"alerts"})["alerts"].toArray();
        return std::any_of(alerts.begin(), alerts.end(), [&](const QJsonValue& alert) {
            return alert[u"rule"].toString() == name && alert[u"state"].toString() == u"firing";
        });
    };
    QVERIFY(QTest::qWaitFor(fires, 4 * kPatienceMs));
}

void EveryMetric::each_metric_that_is_sampled_is_shown_to_prometheus() {
    const auto text = s_->service.cli({"metrics"}).out;
    for (const auto& metric : metrics())
        if (!metric.derived)
            QVERIFY2(text.contains("\nsnakepit_shm_" +
                                   QString::fromStdString(std::string(metric.name)) + " "),
                     std::string(metric.name).c_str());
}

QTEST_GUILESS_MAIN(EveryMetric)
#include "tst_every_metric.moc"
