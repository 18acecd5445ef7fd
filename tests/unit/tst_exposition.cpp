// SPDX-License-Identifier: MIT
#include <QRegularExpression>
#include <QSet>
#include <QtTest>

#include "layout/metrics.h"
#include "telemetry/exposition.h"

using namespace snakepit::shm;
using namespace Qt::StringLiterals;

namespace {

constexpr std::int64_t kNow = 1'700'000'000'000'000;

ExpositionInput input() {
    ExpositionInput in;
    in.version = "1.2.3";
    in.instance = "default";
    in.backend = "linux_posix";
    in.at = {kNow};
    in.heartbeat = {kNow - 500'000};
    in.started_at = {kNow - 60'000'000};
    in.counting_since = {kNow - 90'000'000};
    layout::Sample sample{};
    sample.time = kNow - 400'000;
    sample.regions = 7;
    sample.bytes_used = 5'000'000'000;
    sample.allocations = 42;
    sample.longest_lock_wait = 1'250'000;
    in.sample = sample;
    return in;
}

QStringList lines(const ExpositionInput& in, ExpositionFormat format = ExpositionFormat::classic) {
    return QString::fromStdString(exposition(in, format)).split('\n');
}

}  // namespace

class TestExposition : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void what_is_sampled_has_its_name_type_and_unit();
    void what_follows_from_others_is_left_to_prometheus();
    void a_manager_that_hangs_is_down_and_its_samples_vanish();
    void buckets_count_everything_below_their_bound();
    void openmetrics_names_counters_without_total_and_ends();
    void every_family_is_described_once_and_no_point_is_there_twice();
    void hostile_names_stay_inside_their_quotes();
    void only_the_largest_users_have_labels_of_their_own();
    void alerts_of_one_rule_and_state_are_counted_together();
    void a_client_gets_the_format_it_wants_most_data();
    void a_client_gets_the_format_it_wants_most();
};

void TestExposition::what_is_sampled_has_its_name_type_and_unit() {
    const auto out = lines(input());
    for (const auto* line :
         {"# TYPE snakepit_shm_regions gauge", "snakepit_shm_regions 7",
          "snakepit_shm_used_bytes 5000000000", "# TYPE snakepit_shm_allocations_total counter",
          "# HELP snakepit_shm_allocations_total Regions allocated",
          "snakepit_shm_allocations_total 42", "snakepit_shm_longest_lock_wait_seconds 1.25",
          "snakepit_shm_up 1", "snakepit_shm_start_time_seconds 1699999940",
          "snakepit_shm_heartbeat_timestamp_seconds 1699999999.5", "# TYPE snakepit_shm_info gauge",
          R"(snakepit_shm_info{version="1.2.3",instance="default",backend="linux_posix"} 1)"})
        QVERIFY2(out.contains(QLatin1String(line)), line);
    QVERIFY(!out.contains("# EOF"));
}

void TestExposition::what_follows_from_others_is_left_to_prometheus() {
    const auto text = lines(input()).join('\n');
    for (const auto& metric : metrics()) {
        const auto name = QString("\nsnakepit_shm_%1 ").arg(QLatin1String(metric.name));
        QCOMPARE(text.contains(name), !metric.derived);
    }
}

void TestExposition::a_manager_that_hangs_is_down_and_its_samples_vanish() {
    auto in = input();
    in.heartbeat = {kNow - 11'000'000};
    auto out = lines(in);
    QVERIFY(out.contains("snakepit_shm_up 0"));
    QVERIFY(out.contains("snakepit_shm_regions 7"));
    in.sample->time = kNow - 61'000'000;
    out = lines(in);
    QVERIFY(!out.contains("snakepit_shm_regions 7"));
    QVERIFY(out.contains("snakepit_shm_up 0"));
    in.sample.reset();
    QVERIFY(lines(in).contains("snakepit_shm_up 0"));
}

void TestExposition::buckets_count_everything_below_their_bound() {
    auto in = input();
    auto& timed = in.timed[static_cast<std::size_t>(layout::Timed::allocate)];
    const auto add = [&timed](std::uint64_t nanos, std::uint64_t times) {
        timed.buckets[layout::bucket_of(nanos)] += times;
        timed.count += times;
        timed.sum += nanos * times;
    };
    add(100, 1);              // below the first bound, 256 ns
    add(300, 2);              // below 512 ns
    add(1'500'000, 4);        // below 4.194304 ms, above 1.048576 ms
    add(500'000'000'000, 8);  // above the last bound
    const auto out = lines(in);
    const auto bucket = [&](const char* bound) {
        const auto start =
            QString(
                "snakepit_shm_operation_duration_seconds_bucket{operation=\"allocate\",le=\"%1\"} ")
                .arg(QLatin1String(bound));
        for (const auto& line : out)
            if (line.startsWith(start)) return line.mid(start.size()).toInt();
        return -1;
    };
    QCOMPARE(bucket("2.56e-07"), 1);
    QCOMPARE(bucket("5.12e-07"), 3);
    QCOMPARE(bucket("0.001048576"), 3);
    QCOMPARE(bucket("0.004194304"), 7);
    QCOMPARE(bucket("68.719476736"), 7);
    QCOMPARE(bucket("+Inf"), 15);
    QVERIFY(
        out.contains(R"(snakepit_shm_operation_duration_seconds_count{operation="allocate"} 15)"));
    QVERIFY(out.contains(
        R"(snakepit_shm_operation_duration_seconds_sum{operation="allocate"} 4000.0060007)"));
    QCOMPARE(out.filter("# TYPE snakepit_shm_operation_duration_seconds").size(), 1);
    QCOMPARE(out.filter("le=\"+Inf\"").size(), static_cast<int>(layout::kTimed));
    // Never falling, for each operation.
    int before = 0;
    for (const auto& line : out.filter("_bucket{operation=\"allocate\"")) {
        const int count = line.section(' ', -1).toInt();
        QVERIFY(count >= before);
        before = count;
    }
}

void TestExposition::openmetrics_names_counters_without_total_and_ends() {
    auto in = input();
    in.figures.errors = {{"timeout", 3}};
    const auto text = QString::fromStdString(exposition(in, ExpositionFormat::openmetrics));
    QVERIFY(text.endsWith("\n# EOF\n"));
    const auto out = text.split('\n');
    for (const auto* line :
         {"# TYPE snakepit_shm_allocations counter", "snakepit_shm_allocations_total 42",
          "# TYPE snakepit_shm info", "# TYPE snakepit_shm_used_bytes gauge",
          "# UNIT snakepit_shm_used_bytes bytes",
          "# UNIT snakepit_shm_operation_duration_seconds seconds",
          "# UNIT snakepit_shm_service_cpu_seconds seconds",
          R"(snakepit_shm_errors_by_type_total{type="timeout"} 3)",
          R"(snakepit_shm_errors_by_type_created{type="timeout"} 1699999940)",
          R"(snakepit_shm_operation_duration_seconds_created{operation="map"} 1699999910)"})
        QVERIFY2(out.contains(QLatin1String(line)), line);
    // A unit is the end of the name it is said of.
    for (const auto& line : out.filter("# UNIT "))
        QVERIFY2(line.section(' ', 2, 2).endsWith('_' + line.section(' ', 3, 3)), qPrintable(line));
}

void TestExposition::every_family_is_described_once_and_no_point_is_there_twice() {
    auto in = input();
    in.use = {{"user", {{"alice", 1, 10}, {"bob", 2, 20}}}, {"session", {{"s1", 1, 5}}}};
    in.figures.errors = {{"timeout", 3}, {"deadlock", 1}};
    for (const auto format : {ExpositionFormat::classic, ExpositionFormat::openmetrics}) {
        QSet<QString> described, points;
        for (const auto& line : lines(in, format)) {
            if (line.startsWith("# TYPE ")) {
                QVERIFY2(!described.contains(line.section(' ', 2, 2)), qPrintable(line));
                described.insert(line.section(' ', 2, 2));
            } else if (!line.isEmpty() && !line.startsWith('#')) {
                const auto point = line.section(' ', 0, -2);
                QVERIFY2(!points.contains(point), qPrintable(line));
                points.insert(point);
            }
        }
        QVERIFY(described.size() > 40);
    }
}

void TestExposition::hostile_names_stay_inside_their_quotes() {
    auto in = input();
    in.instance = "a\"} 5\nsnakepit_shm_regions 99\\";
    // Not UTF-8, and cut short in the middle of a letter: both read the same, and are one.
    in.use = {{"session", {{"\xFF\x01x", 1, 10}, {"\xC3\x01x", 2, 20}}}};
    const auto out = lines(in);
    QCOMPARE(
        out.filter("snakepit_shm_info{").join('\n'),
        uR"(snakepit_shm_info{version="1.2.3",instance="a\"} 5\nsnakepit_shm_regions 99\\",backend="linux_posix"} 1)"_s);
    QCOMPARE(out.count("snakepit_shm_regions 7"), 1);
    QVERIFY(!out.contains("snakepit_shm_regions 99\\"));
    QVERIFY(out.contains(u"snakepit_shm_session_regions{session=\"\uFFFD\u0001x\"} 3"_s));
}

void TestExposition::only_the_largest_users_have_labels_of_their_own() {
    auto in = input();
    LabelledUse use{"user", {}};
    for (std::uint64_t i = 1; i <= 250; ++i) use.values.push_back({"u" + std::to_string(i), 1, i});
    in.use = {use};
    const auto out = lines(in);
    const auto bytes = out.filter("snakepit_shm_user_bytes{");
    QCOMPARE(bytes.size(), static_cast<int>(kMostLabelValues) + 1);
    QVERIFY(bytes.contains(R"(snakepit_shm_user_bytes{user="u250"} 250)"));
    QVERIFY(bytes.contains(R"(snakepit_shm_user_bytes{user="u151"} 151)"));
    QVERIFY(bytes.contains(R"~(snakepit_shm_user_bytes{user="(other)"} 11325)~"));  // 1 + … + 150
    QVERIFY(out.contains(R"~(snakepit_shm_user_regions{user="(other)"} 150)~"));
}

void TestExposition::alerts_of_one_rule_and_state_are_counted_together() {
    auto in = input();
    in.figures.alerts = {{"memory", "critical", "firing"},
                         {"leak", "warning", "firing"},
                         {"leak", "warning", "firing"},
                         {"leak", "warning", "pending"}};
    const auto out = lines(in);
    QVERIFY(
        out.contains(R"(snakepit_shm_alerts{rule="leak",severity="warning",state="firing"} 2)"));
    QVERIFY(
        out.contains(R"(snakepit_shm_alerts{rule="leak",severity="warning",state="pending"} 1)"));
    QCOMPARE(out.filter("snakepit_shm_alerts{").size(), 3);
}

void TestExposition::a_client_gets_the_format_it_wants_most_data() {
    QTest::addColumn<QByteArray>("accept");
    QTest::addColumn<bool>("open");
    const auto row = [](const char* accept, bool open) {
        QTest::newRow(accept) << QByteArray(accept) << open;
    };
    row("", false);
    row("*/*", false);
    row("text/html, */*;q=0.1", false);
    row("application/openmetrics-text", true);
    row("application/openmetrics-text;version=1.0.0,application/"
        "openmetrics-text;version=0.0.1;q=0.75,"
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        true);
    row("text/plain , application/openmetrics-text; q=0.5", false);
    row("application/openmetrics-text;q=0, */*;q=0.1", false);
    row("application/openmetrics-text;q=nonsense", false);
    row(";;;,,q=,application/openmetrics-textual", false);
}

void TestExposition::a_client_gets_the_format_it_wants_most() {
    QFETCH(QByteArray, accept);
    QFETCH(bool, open);
    QCOMPARE(negotiate(accept.toStdString()) == ExpositionFormat::openmetrics, open);
}

QTEST_APPLESS_MAIN(TestExposition)
#include "tst_exposition.moc"
