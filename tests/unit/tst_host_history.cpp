// SPDX-License-Identifier: MIT
// The host's shared memory over time: totals, rows and their averages, growth, and the recorder.
#include <sys/stat.h>

#include <QFile>
#include <QTemporaryDir>
#include <QtTest>

#include <algorithm>
#include <cmath>

#include "host_history/history_reader.h"
#include "host_history/history_schema.h"
#include "host_history/history_store.h"
#include "host_history/host_growth.h"
#include "host_history/host_recorder.h"
#include "made_host.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

namespace {

constexpr std::int64_t kMinute = 60'000'000;  // microseconds
constexpr double kGiB = 1 << 30;
constexpr int kPatienceMs = 60'000;

HostSegment segment(const char* name, const char* program, std::uint64_t bytes,
                    SegmentVerdict verdict = SegmentVerdict::in_use) {
    HostSegment out;
    out.kind = SegmentKind::posix;
    out.name = out.label = name;
    out.names = {name};
    out.device = 7;
    out.inode = std::hash<std::string>()(name);
    out.resident = bytes;
    out.user = "kim";
    out.verdict = verdict;
    if (*program != 0) out.users = {{42, 1000, program, UseKind::maps}};
    return out;
}

UsageTotal total(std::string name, double bytes, double left = 0) {
    UsageTotal out;
    out.name = std::move(name);
    out.bytes = out.most_bytes = bytes;
    out.segments = 1;
    out.left_bytes = left;
    out.left_segments = left > 0 ? 41 : 0;
    return out;
}

HostTotals minute(std::int64_t at, std::vector<UsageTotal> programs) {
    HostTotals out{.time = {at}, .processes = 10};
    for (const auto& program : programs) out.all += program;
    out.by[0] = largest(std::move(programs));
    return out;
}

const UsageTotal* find(const std::vector<UsageTotal>& totals, std::string_view name) {
    const auto found = std::find_if(totals.begin(), totals.end(),
                                    [&](const auto& one) { return one.name == name; });
    return found == totals.end() ? nullptr : &*found;
}

// Growth of "python" whose bytes are `bytes(minute)`, after `minutes`.
template <typename Bytes>
std::vector<ProgramGrowth> growth_after(int minutes, Bytes bytes) {
    GrowthWatch watch;
    for (int at = 0; at <= minutes; ++at) watch.add(minute(at * kMinute, {bytes(at)}));
    return watch.growing();
}

}  // namespace

class HostHistoryTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() {
        directory_ = std::make_unique<QTemporaryDir>();
        path_ = directory_->filePath("host_history.db").toStdString();
    }
    void a_segment_counts_for_its_program_user_and_group();
    void a_left_over_segment_counts_for_who_had_it();
    void names_are_bounded_and_the_rest_is_one();
    void rows_are_averages_of_all_surveys();
    void a_database_is_written_rolled_up_and_read();
    void many_names_stay_few_rows();
    void what_is_old_or_too_much_is_removed();
    void what_was_not_recorded_is_not_there();
    void segments_are_remembered_over_a_restart();
    void growth_is_found_data();
    void growth_is_found();
    void growth_that_is_given_back_ends_at_once();
    void growth_is_not_found_data();
    void growth_is_not_found();
    void growth_is_told_in_a_sentence();
    void an_expensive_survey_is_followed_by_a_long_pause();
    void a_recorder_writes_what_it_sees();
    void a_recorder_outlives_its_database();

  private:
    HistoryStore store() const {
        auto opened = HistoryStore::open(path_);
        if (!opened) qFatal("%s", opened.error().sentence().c_str());
        return std::move(*opened);
    }

    std::unique_ptr<QTemporaryDir> directory_;
    std::string path_;
};

void HostHistoryTest::a_segment_counts_for_its_program_user_and_group() {
    HostSurvey survey;
    survey.time = {5};
    survey.processes = 9;
    survey.unreadable = 1;
    survey.segments = {segment("a", "python3", 4096), segment("b", "python3", 8192),
                       segment("c", "", 100, SegmentVerdict::left_over)};
    survey.segments[1].program = "PostgreSQL";  // by the segment's name
    survey.segments[1].payer = {
        SegmentPayer::KnownBy::page, "/x.service", "x.service", GroupKind::unit, {}};
    SegmentMemory memory;
    (void)memory.follow(survey);
    const auto totals = totals_of(survey, memory);
    QCOMPARE(totals.processes, 10.0);
    QCOMPARE(totals.unreadable, 1.0);
    QCOMPARE(totals.all.bytes, 4096.0 + 8192 + 100);
    QCOMPARE(totals.all.left_segments, 1.0);
    const auto& programs = totals.of(TotalsBy::program);
    QCOMPARE(programs.size(), std::size_t{3});
    QCOMPARE(programs.front().name, "PostgreSQL");
    QCOMPARE(find(programs, "python3")->bytes, 4096.0);
    QCOMPARE(find(programs, kNotTold)->left_bytes, 100.0);
    QCOMPARE(find(totals.of(TotalsBy::user), "kim")->segments, 3.0);
    QCOMPARE(find(totals.of(TotalsBy::group), "x.service")->bytes, 8192.0);
    QCOMPARE(find(totals.of(TotalsBy::group), kNotTold)->segments, 2.0);
}

void HostHistoryTest::a_left_over_segment_counts_for_who_had_it() {
    HostSurvey survey;
    survey.time = {5};
    survey.segments = {segment("a", "trainer", 4096)};
    SegmentMemory memory;
    (void)memory.follow(survey);
    survey.time = {6};
    survey.segments = {segment("a", "", 4096, SegmentVerdict::left_over)};
    (void)memory.follow(survey);
    const auto totals = totals_of(survey, memory);
    QCOMPARE(find(totals.of(TotalsBy::program), "trainer")->left_bytes, 4096.0);
    // A segment that is gone is forgotten after an hour.
    survey.segments.clear();
    survey.time = {30 * kMinute};
    QVERIFY(memory.follow(survey).empty());
    survey.time = {90 * kMinute};
    QCOMPARE(memory.follow(survey).size(), std::size_t{1});
    QVERIFY(memory.segments().empty());
}

void HostHistoryTest::names_are_bounded_and_the_rest_is_one() {
    std::vector<UsageTotal> totals;
    for (int i = 0; i < 100; ++i) totals.push_back(total("p" + std::to_string(i), 1000.0 + i, i));
    totals.push_back(total(std::string(kOtherNames), 5000));
    const auto few = largest(totals);
    QCOMPARE(few.size(), kMostNames + 1);
    QCOMPARE(few.front().name, "p99");
    QCOMPARE(few.back().name, kOtherNames);
    double all = 0, rest = 0;
    for (const auto& one : totals) all += one.bytes;
    for (const auto& one : few) rest += one.bytes;
    QCOMPARE(rest, all);
    QCOMPARE(few.back().segments, 81.0);
}

void HostHistoryTest::rows_are_averages_of_all_surveys() {
    // Two surveys had python, the other one did not.
    auto first = minute(0, {total("python", 300, 30), total("other", 7)});
    first.unreadable = 2;
    auto second = minute(kMinute, {total("other", 7)});
    second.surveys = 2;
    const auto row = merged({first, second});
    QCOMPARE(row.time.micros, std::int64_t{0});
    QCOMPARE(row.surveys, 3.0);
    QCOMPARE(row.unreadable, 2.0);
    QCOMPARE(find(row.of(TotalsBy::program), "python")->bytes, 100.0);
    QCOMPARE(find(row.of(TotalsBy::program), "python")->most_bytes, 300.0);
    QCOMPARE(find(row.of(TotalsBy::program), "python")->left_bytes, 10.0);
    QVERIFY(std::abs(find(row.of(TotalsBy::program), "other")->bytes - 7) < 1e-9);
    QCOMPARE(row.all.most_bytes, 307.0);
}

void HostHistoryTest::a_database_is_written_rolled_up_and_read() {
    const auto begin = begin_of(now().micros, kHostResolutions[2]) - 60 * kMinute;
    auto writer = store();
    struct stat info {};
    QCOMPARE(::stat(path_.c_str(), &info), 0);
    QCOMPARE(info.st_mode & 0777U, 0600U);
    for (int i = 0; i < 30; ++i)
        QVERIFY(writer.add(minute(begin + i * kMinute + 17, {total("python", 100.0 * i)})));
    // The last survey of a minute counts.
    QVERIFY(writer.add(minute(begin + 29 * kMinute + 18, {total("python", 2900), total("x", 1)})));
    HistoryReader reader(path_);
    const auto at = reader.at({begin + 12 * kMinute + 30'000'000});
    QVERIFY2(at && *at, at ? "no row" : at.error().sentence().c_str());
    QCOMPARE((*at)->seconds, std::int64_t{60});
    QCOMPARE((*at)->totals.time.micros, begin + 12 * kMinute);
    QCOMPARE(find((*at)->totals.of(TotalsBy::program), "python")->bytes, 1200.0);
    QCOMPARE((*at)->totals.processes, 10.0);
    QCOMPARE((*at)->totals.all.bytes, 1200.0);
    // Ten minutes: 100 · (10 … 19).
    const auto coarse = reader.series(TotalsBy::program, {begin}, {begin + 30 * kMinute}, 3, 5);
    QVERIFY(coarse.has_value());
    QCOMPARE(coarse->size(), std::size_t{2});
    QCOMPARE(coarse->front().name, "python");
    QCOMPARE(coarse->front().points.size(), std::size_t{3});
    QCOMPARE(coarse->front().points[1].bytes, 1450.0);
    QCOMPARE(coarse->front().points[1].seconds, std::int64_t{600});
    const auto fine = reader.series(TotalsBy::program, {begin}, {begin + 30 * kMinute}, 100, 1);
    QVERIFY(fine.has_value());
    QCOMPARE(fine->size(), std::size_t{2});
    QCOMPARE(fine->front().points.size(), std::size_t{30});
    QCOMPARE(fine->back().name, kOtherNames);
    QCOMPARE(fine->back().points.back().bytes, 1.0);
    QVERIFY(reader.series(TotalsBy::program, {2}, {1}, 3, 5)->empty());
}

void HostHistoryTest::many_names_stay_few_rows() {
    const auto begin = begin_of(now().micros, kHostResolutions[2]) - 60 * kMinute;
    auto writer = store();
    for (int i = 0; i < 10; ++i) {
        std::vector<UsageTotal> programs;
        for (int name = 0; name < 50; ++name)
            programs.push_back(total("p" + std::to_string(i * 50 + name), 100.0 + name));
        QVERIFY(writer.add(minute(begin + i * kMinute, programs)));
    }
    HistoryReader reader(path_);
    const auto rows = reader.series(TotalsBy::program, {begin}, {begin + 10 * kMinute}, 1, 1000);
    QVERIFY(rows.has_value());
    QCOMPARE(rows->size(), kMostNames + 1);
    double sum = 0;
    for (const auto& one : *rows) sum += one.points.front().bytes;
    QVERIFY(std::abs(sum - 50 * 124.5) < 1e-6);
}

void HostHistoryTest::what_is_old_or_too_much_is_removed() {
    const auto last = begin_of(now().micros, kHostResolutions[2]);
    constexpr std::int64_t kHour = 60 * kMinute;
    auto writer = store();
    QVERIFY(writer.add(minute(last - 40LL * 24 * kHour, {total("old", 1)})));
    QVERIFY(writer.add(minute(last - 26 * kHour, {total("yesterday", 1)})));
    for (int i = 0; i < 60; ++i)
        QVERIFY(writer.add(minute(last + i * kMinute, {total("python" + std::to_string(i), 1)})));
    // As of a clock that follows no faster than time passes: the first time it is the wall clock.
    QVERIFY(writer.retain());
    HistoryReader reader(path_);
    const auto kept = [&](std::int64_t at) {
        const auto row = reader.at({at});
        return row && *row ? (*row)->seconds : std::int64_t{0};
    };
    QCOMPARE(kept(last - 26 * kHour), std::int64_t{600});
    QCOMPARE(kept(last - 40LL * 24 * kHour), std::int64_t{3600});
    QCOMPARE(kept(last), std::int64_t{60});
    QVERIFY(writer.retain(1));
    QCOMPARE(kept(last), std::int64_t{600});
    QCOMPARE(kept(last - 26 * kHour), std::int64_t{0});
    QCOMPARE(kept(last + 59 * kMinute), std::int64_t{60});  // the row that is not complete yet
    QVERIFY(writer.bytes() > 0);
}

void HostHistoryTest::what_was_not_recorded_is_not_there() {
    HistoryReader absent(directory_->filePath("nothing.db").toStdString());
    const auto refused = absent.at({1});
    QVERIFY(!refused);
    QCOMPARE(refused.error().code, ErrorCode::database_unavailable);
    const auto begin = begin_of(now().micros, kHostResolutions[2]) - 240 * kMinute;
    auto writer = store();
    QVERIFY(writer.add(minute(begin, {total("a", 1)})));
    QVERIFY(writer.add(minute(begin + 180 * kMinute, {total("a", 1)})));
    HistoryReader reader(path_);
    const auto gap = reader.at({begin + 90 * kMinute});
    QVERIFY(gap.has_value());
    QVERIFY(!*gap);
    const auto next = reader.next_to({begin + 90 * kMinute});
    QVERIFY(next.has_value());
    QCOMPARE(next->before.micros, begin);
    QCOMPARE(next->after.micros, begin + 180 * kMinute);
    QCOMPARE(reader.next_to({begin - 1})->before.micros, std::int64_t{0});
}

void HostHistoryTest::segments_are_remembered_over_a_restart() {
    HostSurvey survey;
    survey.time = {5};
    survey.segments = {segment("a", "trainer", 4096), segment("b", "other", 1)};
    survey.segments[0].payer.group = "/batch";
    SegmentMemory memory;
    (void)memory.follow(survey);
    QVERIFY(store().save(memory, {}));
    QVERIFY(!memory.segments().begin()->second.changed);
    SegmentMemory again;
    QVERIFY(store().load(again, {77}));
    QCOMPARE(again.segments().size(), std::size_t{2});
    const auto* known = again.find(identity_of(survey.segments[0]));
    QVERIFY(known);
    QCOMPARE(known->group, "/batch");
    QCOMPARE(known->program, "trainer");
    QCOMPARE(known->seen.micros, std::int64_t{77});
    HistoryReader reader(path_);
    const auto read = reader.segments();
    QVERIFY(read.has_value());
    QCOMPARE(read->find(identity_of(survey.segments[1]))->program, "other");
    QVERIFY(store().save(memory, {identity_of(survey.segments[1])}));
    QCOMPARE(reader.segments()->segments().size(), std::size_t{1});
}

void HostHistoryTest::growth_is_found_data() {
    QTest::addColumn<int>("minutes");
    QTest::addColumn<double>("each");   // bytes a minute
    QTest::addColumn<double>("noise");  // that comes and goes
    QTest::addColumn<double>("left");   // of it left over
    QTest::addColumn<int>("hours");
    QTest::newRow("six hours") << 400 << kGiB / 120 << 0.0 << 0.0 << 6;
    QTest::newRow("with noise above") << 400 << kGiB / 120 << kGiB << 0.0 << 6;
    QTest::newRow("left over") << 400 << kGiB / 120 << 0.0 << 0.9 << 6;
    QTest::newRow("one hour is enough") << 62 << kGiB / 20 << 0.0 << 0.0 << 1;
}

void HostHistoryTest::growth_is_found() {
    QFETCH(int, minutes);
    QFETCH(double, each);
    QFETCH(double, noise);
    QFETCH(double, left);
    QFETCH(int, hours);
    const auto found = growth_after(minutes, [&](int at) {
        return total("python", kGiB + at * each + (at % 7 == 0 ? 0 : noise), left * at * each);
    });
    QCOMPARE(found.size(), std::size_t{1});
    QCOMPARE(found.front().program, "python");
    QCOMPARE(found.front().seconds, std::int64_t{hours} * 3600);
    // From the beginning of the first part to that of the last.
    const auto expected = each * hours * 60 * 5 / 6;
    QVERIFY2(std::abs(static_cast<double>(found.front().bytes) - expected) < 10 * each + 1,
             qPrintable(QString::number(static_cast<double>(found.front().bytes) / kGiB)));
}

void HostHistoryTest::growth_that_is_given_back_ends_at_once() {
    GrowthWatch watch;
    for (int at = 0; at <= 400; ++at)
        watch.add(minute(at * kMinute, {total("python", at * kGiB / 100)}));
    QVERIFY(!watch.growing().empty());
    watch.add(minute(401 * kMinute, {total("python", 0)}));
    QVERIFY(watch.growing().empty());
    watch.add(minute(402 * kMinute, {total("something", 1)}));
    QVERIFY(watch.growing().empty());
}

void HostHistoryTest::growth_is_not_found_data() {
    QTest::addColumn<int>("shape");
    QTest::newRow("constant") << 0;
    QTest::newRow("taken once and kept") << 1;
    QTest::newRow("a saw of half an hour") << 2;
    QTest::newRow("falling") << 3;
    QTest::newRow("too short") << 4;
    QTest::newRow("a gap") << 5;
    QTest::newRow("up, and down to half") << 6;
}

void HostHistoryTest::growth_is_not_found() {
    QFETCH(int, shape);
    GrowthWatch watch;
    for (int at = 0; at <= 400; ++at) {
        if (shape == 4 && at < 370) continue;
        if (shape == 5 && at > 380 && at < 395) continue;
        double bytes = kGiB;
        if (shape == 1) bytes = at < 200 ? 0 : 3 * kGiB;
        if (shape == 2) bytes = (at % 30) * kGiB / 10;
        if (shape == 3) bytes = (400 - at) * kGiB / 100;
        if (shape == 4) bytes = at * kGiB / 10;
        if (shape == 5) bytes = at < 381 ? kGiB : at * kGiB / 100;
        if (shape == 6) bytes = (at < 250 ? at : 250 - (at - 250)) * kGiB / 100;
        watch.add(minute(at * kMinute, {total("python", bytes)}));
    }
    const auto found = watch.growing();
    QVERIFY2(found.empty(), found.empty() ? "" : found.front().sentence().c_str());
}

void HostHistoryTest::growth_is_told_in_a_sentence() {
    ProgramGrowth growth{"python", 3ULL << 30, 6 * 3600, 1ULL << 30, 4ULL << 30, 41, 2ULL << 30};
    QCOMPARE(growth.sentence(),
             "python's segments grew by 3 GiB in 6 h, from 1 GiB to 4 GiB; 41 are left over "
             "(2 GiB)");
    growth.left_over = 0;
    QCOMPARE(growth.sentence(), "python's segments grew by 3 GiB in 6 h, from 1 GiB to 4 GiB");
    // Many programs: one that comes into the list grew by no more than what it is above the others.
    GrowthWatch watch;
    for (int at = 0; at <= 400; ++at) {
        std::vector<UsageTotal> programs;
        for (int i = 0; i < 30; ++i) programs.push_back(total("p" + std::to_string(i), 1000 + i));
        if (at > 390) programs.push_back(total("late", 1100));
        watch.add(minute(at * kMinute, programs));
    }
    for (const auto& one : watch.growing()) QVERIFY(one.bytes < 100);
}

void HostHistoryTest::an_expensive_survey_is_followed_by_a_long_pause() {
    QCOMPARE(pause_after(20'000'000, 60'000), std::int64_t{60'000});      // 20 ms a minute
    QCOMPARE(pause_after(600'000'000, 60'000), std::int64_t{60'000});     // 1 %
    QCOMPARE(pause_after(6'000'000'000, 60'000), std::int64_t{600'000});  // six seconds
}

void HostHistoryTest::a_recorder_writes_what_it_sees() {
    MadeHost host;
    host.process(7, "worker", 100, MadeHost::mapping(host.segment("buffer", 8192)));
    HostRecorder recorder(path_, host.options());
    QCOMPARE(recorder.state().interval_ms, std::int64_t{0});
    recorder.set_interval(1000);
    QTRY_VERIFY_WITH_TIMEOUT(recorder.state().bytes > 0, kPatienceMs);
    const auto state = recorder.state();
    QVERIFY2(state.problem.empty(), state.problem.c_str());
    QVERIFY(state.cpu_nanos > 0 || state.surveys == 1);
    QCOMPARE(find(state.last.of(TotalsBy::program), "worker")->bytes, 8192.0);
    HistoryReader reader(path_);
    const auto row = reader.at(state.last.time);
    QVERIFY2(row && *row, row ? "no row" : row.error().sentence().c_str());
    QCOMPARE(find((*row)->totals.of(TotalsBy::program), "worker")->bytes, 8192.0);
    recorder.set_interval(0);
    const auto stopped = recorder.state().surveys;
    QTest::qWait(2500);
    QVERIFY(recorder.state().surveys <= stopped + 1);
}

void HostHistoryTest::a_recorder_outlives_its_database() {
    MadeHost host;
    host.process(7, "worker", 100, MadeHost::mapping(host.segment("buffer", 8192)));
    QFile damaged(QString::fromStdString(path_));
    QVERIFY(damaged.open(QIODevice::WriteOnly));
    damaged.write(QByteArray(8192, 'x'));
    damaged.close();
    HostRecorder recorder(path_, host.options());
    recorder.set_interval(1000);
    QTRY_VERIFY_WITH_TIMEOUT(recorder.state().bytes > 0, kPatienceMs);
    QVERIFY(recorder.state().problem.empty());
    QCOMPARE(QDir(directory_->path()).entryList({"host_history.db.corrupt-*"}).size(), 1);
    // Unlinked: it is made again.
    QVERIFY(QFile::remove(QString::fromStdString(path_)));
    QTRY_VERIFY_WITH_TIMEOUT(QFile::exists(QString::fromStdString(path_)), kPatienceMs);
    HistoryReader reader(path_);
    QTRY_VERIFY_WITH_TIMEOUT(reader.segments().has_value(), kPatienceMs);
}

QTEST_GUILESS_MAIN(HostHistoryTest)
#include "tst_host_history.moc"
