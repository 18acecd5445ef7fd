// SPDX-License-Identifier: MIT
// What is kept of samples: how they are rolled up, for how long, how much, and how it is read.
#include <QtTest>

#include <SQLiteCpp/SQLiteCpp.h>
#include <QFile>
#include <QTemporaryDir>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>

#include "layout/metrics.h"
#include "telemetry/metrics_reader.h"
#include "telemetry/metrics_recorder.h"
#include "telemetry/metrics_schema.h"
#include "telemetry/metrics_store.h"

using namespace snakepit::shm;
using layout::Sample;

namespace {

constexpr std::int64_t kSecond = 1'000'000;
// A whole hour, so that rows begin where one would expect them to.
constexpr std::int64_t kStart = 1'700'000'000'000'000 / (3600 * kSecond) * (3600 * kSecond);
constexpr std::uint64_t kMuch = 1ULL << 40;

Sample sample(std::int64_t second, std::uint64_t regions, std::uint64_t seq = 0) {
    Sample out{};
    out.time = kStart + second * kSecond + 1234;
    out.regions = regions;
    out.max_regions = 1000;
    out.seq = seq;
    return out;
}

Timestamp at(std::int64_t second) {
    return {kStart + second * kSecond};
}

// One of the last minutes: older ones do not stay where a recorder looks after them.
Sample recent(std::int64_t second) {
    static const auto begin = begin_of(now().micros, 1) - 200 * kSecond;
    auto out = sample(0, 5);
    out.time = begin + second * kSecond;
    return out;
}

// A ring that a test fills.
class Ring {
  public:
    void add(Sample one) {
        const std::lock_guard lock(mutex_);
        one.seq = ++head_;
        samples_.push_back(one);
    }
    MetricsRecorder::Source source() {
        return [this](std::uint64_t after) {
            const std::lock_guard lock(mutex_);
            std::vector<Sample> out;
            for (const auto& one : samples_)
                if (one.seq > after) out.push_back(one);
            return out;
        };
    }

  private:
    std::mutex mutex_;
    std::vector<Sample> samples_;
    std::uint64_t head_ = 0;
};

}  // namespace

class TestMetrics : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() { directory_.emplace(); }

    void every_metric_has_a_column_and_comes_back();
    void rows_are_rolled_up_to_averages_lows_and_highs();
    void the_coarser_rows_are_there_while_they_are_not_complete();
    void a_row_goes_when_it_is_older_than_its_resolution_is_kept();
    void the_oldest_of_the_finest_go_when_there_is_too_much();
    void a_series_has_at_most_as_many_points_as_were_asked_for();
    void an_unknown_metric_and_a_missing_database_are_told();
    void a_database_of_an_older_release_gets_the_new_columns();
    void a_recorder_goes_on_from_the_ring_without_recording_twice();
    void a_corrupt_database_is_set_aside_and_a_new_one_begun();
    void a_removed_database_is_made_anew_from_the_ring();
    void a_locked_database_stops_nothing_but_the_recording();
    void with_a_size_of_nothing_no_history_is_kept();

  private:
    std::string path() const { return directory_->filePath("metrics.db").toStdString(); }
    std::int64_t count(std::string_view table) const {
        SQLite::Database database(path());
        return database.execAndGet("SELECT count(*) FROM " + std::string(table)).getInt64();
    }
    std::vector<MetricPoint> points(std::int64_t from, std::int64_t to) const {
        MetricsReader reader(path());
        auto found = reader.points("regions", at(from), at(to));
        if (!found) qFatal("%s", found.error().sentence().c_str());
        return *found;
    }
    std::vector<MetricPoint> recorded() const {
        MetricsReader reader(path());
        return reader.points("regions", {recent(-10).time}, {recent(190).time}).value();
    }
    MetricsStore store() const {
        auto opened = MetricsStore::open(path());
        if (!opened) qFatal("%s", opened.error().sentence().c_str());
        return std::move(*opened);
    }
    void fill(std::int64_t from, std::int64_t to) const {
        auto open = store();
        std::vector<Sample> samples;
        for (auto second = from; second < to; ++second)
            samples.push_back(sample(second, static_cast<std::uint64_t>(second % 100)));
        if (const auto added = open.add(samples); !added)
            qFatal("%s", added.error().sentence().c_str());
    }

    std::optional<QTemporaryDir> directory_;
};

void TestMetrics::every_metric_has_a_column_and_comes_back() {
    auto one = sample(0, 123);
    one.bytes_used = 1'000'000'007;
    one.timed[0].p99 = 12'345;
    {
        auto open = store();
        QVERIFY(open.add({&one, 1}));
    }
    MetricsReader reader(path());
    for (const auto& metric : metrics()) {
        const auto found = reader.points(metric.name, at(0), at(10));
        QVERIFY2(found && found->size() == 1, metric.name.data());
        QCOMPARE(found->front().avg, metric.value(one));
        QCOMPARE(found->front().time, Timestamp{one.time});
        QCOMPARE(found->front().seconds, std::int64_t{1});
    }
}

void TestMetrics::rows_are_rolled_up_to_averages_lows_and_highs() {
    fill(0, 7200);  // two hours of 0 … 99 again and again
    {
        auto open = store();
        QVERIFY(open.retain(at(7200), kMuch));
    }
    // Of the last fifteen minutes each second is there, before that every ten.
    const auto all = points(0, 7200);
    QCOMPARE(all.front().seconds, std::int64_t{10});
    QCOMPARE(all.back().seconds, std::int64_t{1});
    QCOMPARE(all.size(), std::size_t{630 + 900});
    QCOMPARE(all[3].time, at(30));
    QCOMPARE(all[3].min, 30.0);
    QCOMPARE(all[3].avg, 34.5);
    QCOMPARE(all[3].max, 39.0);
    SQLite::Database database(path());
    const auto number = [&](const char* column, const char* table, std::int64_t second) {
        SQLite::Statement row(database, std::string("SELECT ") + column + " FROM " + table +
                                            " WHERE time = " + std::to_string(at(second).micros));
        return row.executeStep() ? row.getColumn(0).getDouble() : -1;
    };
    QCOMPARE(number("regions", "samples_1m", 60), (40 * 79.5 + 20 * 9.5) / 60);
    QCOMPARE(number("regions_min", "samples_1m", 60), 0.0);
    QCOMPARE(number("regions_max", "samples_1m", 60), 99.0);
    QCOMPARE(number("n", "samples_1m", 60), 60.0);
    QCOMPARE(number("regions", "samples_1h", 3600), 49.5);
    QCOMPARE(number("n", "samples_1h", 3600), 3600.0);
}

void TestMetrics::the_coarser_rows_are_there_while_they_are_not_complete() {
    fill(0, 15);
    QCOMPARE(count("samples_10s"), std::int64_t{2});
    QCOMPARE(count("samples_1h"), std::int64_t{1});
    fill(15, 25);  // another connection goes on with the same rows
    QCOMPARE(count("samples_10s"), std::int64_t{3});
    SQLite::Database database(path());
    QCOMPARE(database.execAndGet("SELECT n FROM samples_1h").getInt(), 25);
    QCOMPARE(database.execAndGet("SELECT regions FROM samples_1h").getDouble(), 12.0);
}

void TestMetrics::a_row_goes_when_it_is_older_than_its_resolution_is_kept() {
    fill(0, 1800);
    auto open = store();
    QVERIFY(open.retain(at(1800), kMuch));
    QCOMPARE(count("samples_1s"), std::int64_t{900});
    QCOMPARE(count("samples_10s"), std::int64_t{180});
    QVERIFY(open.retain(at(kDaySeconds + 900), kMuch));
    QCOMPARE(count("samples_1s"), std::int64_t{0});
    QCOMPARE(count("samples_10s"), std::int64_t{90});  // a day old and younger
    QCOMPARE(count("samples_1m"), std::int64_t{30});
    QVERIFY(open.retain(at(31 * kDaySeconds), kMuch));
    QCOMPARE(count("samples_10s"), std::int64_t{0});
    QCOMPARE(count("samples_1m"), std::int64_t{0});
    QCOMPARE(count("samples_1h"), std::int64_t{1});
    QVERIFY(open.retain(at(366 * kDaySeconds), kMuch));
    QCOMPARE(count("samples_1h"), std::int64_t{0});
}

void TestMetrics::the_oldest_of_the_finest_go_when_there_is_too_much() {
    fill(0, 899);
    auto open = store();
    const auto before = open.bytes();
    const auto limit = before * 3 / 4;
    QVERIFY(open.retain(at(900), limit));
    QVERIFY2(open.bytes() <= limit, qPrintable(QString::number(open.bytes())));
    QVERIFY(count("samples_1s") < 899);
    QVERIFY(count("samples_1s") > 0);
    QCOMPARE(count("samples_10s"), std::int64_t{90});  // coarser ones stay
    const auto left = points(0, 900);
    QCOMPARE(left.front().seconds, std::int64_t{10});
    QCOMPARE(left.back().seconds, std::int64_t{1});
    // The file itself has become smaller as well, once its log is written back.
    QVERIFY(open.retain(at(900), 1));  // no size is small enough for what is not complete yet
    QVERIFY(count("samples_1s") < 10);
    QVERIFY(count("samples_1h") == 1);
}

void TestMetrics::a_series_has_at_most_as_many_points_as_were_asked_for() {
    fill(0, 3600);
    MetricsReader reader(path());
    for (const std::size_t most : {1U, 7U, 60U, 361U, 5000U}) {
        const auto found = reader.series("regions", at(0), at(3600), most);
        QVERIFY(found && !found->empty());
        QVERIFY2(found->size() <= most, qPrintable(QString::number(found->size())));
        std::int64_t seconds = 0;
        double sum = 0, low = 1000, high = -1;
        for (const auto& point : *found) {
            seconds += point.seconds;
            sum += point.avg * static_cast<double>(point.seconds);
            low = std::min(low, point.min);
            high = std::max(high, point.max);
        }
        QCOMPARE(seconds, std::int64_t{3600});
        QCOMPARE(sum / 3600, 49.5);
        QCOMPARE(low, 0.0);
        QCOMPARE(high, 99.0);
    }
}

void TestMetrics::an_unknown_metric_and_a_missing_database_are_told() {
    MetricsReader reader(path());
    const auto missing = reader.points("regions", at(0), at(10));
    QVERIFY(!missing && missing.error().code == ErrorCode::database_unavailable);
    QVERIFY(missing.error().message.find("the metrics database") != std::string::npos &&
            missing.error().message.find("does not exist") != std::string::npos);
    const auto unknown = reader.points("regoins", at(0), at(10));
    QVERIFY(!unknown && unknown.error().code == ErrorCode::invalid_argument);
}

void TestMetrics::a_database_of_an_older_release_gets_the_new_columns() {
    fill(0, 10);
    {
        SQLite::Database database(path(), SQLite::OPEN_READWRITE);
        for (const auto& resolution : kResolutions)
            database.exec("ALTER TABLE " + std::string(resolution.table) + " DROP COLUMN regions");
    }
    MetricsReader reader(path());
    QVERIFY(reader.points("regions", at(0), at(100))->empty());
    fill(10, 20);
    const auto found = reader.points("regions", at(0), at(100));
    QCOMPARE(found->size(), std::size_t{10});
    SQLite::Database database(path());  // an average of those that have it
    QCOMPARE(database.execAndGet("SELECT regions FROM samples_1m").getDouble(), 14.5);
}

void TestMetrics::a_recorder_goes_on_from_the_ring_without_recording_twice() {
    Ring ring;
    for (int i = 0; i < 20; ++i) ring.add(recent(i));
    {
        MetricsRecorder recorder(path(), ring.source());
        QVERIFY(recorder.flush(5000));
        QCOMPARE(recorder.state().recorded, std::uint64_t{20});
        QVERIFY(recorder.state().writable);
        for (int i = 20; i < 30; ++i) ring.add(recent(i));
        QVERIFY(recorder.flush(5000));
        QCOMPARE(recorder.state().recorded, std::uint64_t{30});
    }
    for (int i = 30; i < 40; ++i) ring.add(recent(i));  // nobody recorded these
    MetricsRecorder next(path(), ring.source());
    QVERIFY(next.flush(5000));
    QCOMPARE(next.state().recorded, std::uint64_t{10});
    QCOMPARE(recorded().size(), std::size_t{40});
}

void TestMetrics::a_corrupt_database_is_set_aside_and_a_new_one_begun() {
    QFile file(QString::fromStdString(path()));
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(QByteArray(10'000, 'x'));
    file.close();
    Ring ring;
    ring.add(recent(1));
    MetricsRecorder recorder(path(), ring.source());
    QTRY_VERIFY_WITH_TIMEOUT(recorder.flush(5000), 60'000);
    QCOMPARE(recorded().size(), std::size_t{1});
    QCOMPARE(QDir(directory_->path()).entryList({"metrics.db.corrupt-*"}).size(), 1);
}

void TestMetrics::a_removed_database_is_made_anew_from_the_ring() {
    Ring ring;
    for (int i = 0; i < 10; ++i) ring.add(recent(i));
    MetricsRecorder recorder(path(), ring.source());
    QVERIFY(recorder.flush(5000));
    for (const auto* part : {"", "-wal", "-shm"}) std::filesystem::remove(path() + part);
    ring.add(recent(10));
    QVERIFY(recorder.flush(5000));
    QCOMPARE(recorded().size(), std::size_t{11});
}

void TestMetrics::a_locked_database_stops_nothing_but_the_recording() {
    Ring ring;
    ring.add(recent(0));
    MetricsRecorder recorder(path(), ring.source());
    QVERIFY(recorder.flush(5000));
    {
        SQLite::Database other(path(), SQLite::OPEN_READWRITE, 5000);
        other.exec("BEGIN IMMEDIATE");
        ring.add(recent(1));
        QVERIFY(!recorder.flush(5000));
        const auto state = recorder.state();
        QVERIFY(!state.writable);
        QVERIFY2(state.problem.find("locked") != std::string::npos, state.problem.c_str());
        other.exec("ROLLBACK");
    }
    QVERIFY(recorder.flush(5000));
    QVERIFY(recorder.state().problem.empty());
    QCOMPARE(recorded().size(), std::size_t{2});
}

void TestMetrics::with_a_size_of_nothing_no_history_is_kept() {
    Ring ring;
    MetricsRecorder recorder(path(), ring.source());
    QVERIFY(recorder.flush(5000));
    recorder.set_max_bytes(0);
    QVERIFY(recorder.flush(5000));  // a step that began with the old limit is over
    ring.add(recent(1));
    QVERIFY(recorder.flush(5000));
    QVERIFY(!recorder.state().writable);
    QCOMPARE(count("samples_1s"), std::int64_t{0});
}

QTEST_GUILESS_MAIN(TestMetrics)
#include "tst_metrics.moc"
