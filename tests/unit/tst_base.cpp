// SPDX-License-Identifier: MIT
#include <QtTest>

#include <cerrno>
#include <set>

#include "base/error.h"
#include "base/filter.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "base/units.h"

using namespace snakepit::shm;

class TestBase : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void an_id_reads_back_as_what_it_printed();
    void ids_do_not_repeat();
    void text_that_is_no_id_is_refused_data();
    void text_that_is_no_id_is_refused();
    void instance_names_that_could_leave_their_directory_are_refused();
    void sizes_are_read_as_people_write_them_data();
    void sizes_are_read_as_people_write_them();
    void text_that_is_no_size_is_refused_data();
    void text_that_is_no_size_is_refused();
    void durations_are_read_as_people_write_them_data();
    void durations_are_read_as_people_write_them();
    void sizes_and_durations_print_in_the_largest_fitting_unit();
    void a_filter_selects_what_it_says_data();
    void a_filter_selects_what_it_says();
    void a_filter_that_means_nothing_says_which_part_data();
    void a_filter_that_means_nothing_says_which_part();
    void a_value_that_a_field_never_has_is_refused_with_those_it_has();
    void times_survive_being_printed_and_read();
    void times_that_are_none_are_refused_data();
    void times_that_are_none_are_refused();
    void errors_keep_the_type_their_code_belongs_to();
    void error_numbers_become_errors_with_a_remedy();
    void an_error_leaves_the_function_through_the_macros();
};

void TestBase::an_id_reads_back_as_what_it_printed() {
    const auto id = RegionId::generate();
    const auto text = id.str();
    QVERIFY(text.starts_with("shm_"));
    const auto back = RegionId::parse(text);
    QVERIFY(back);
    QVERIFY(*back == id);
    QCOMPARE((RegionId{7, 0xAB}.str()), std::string("shm_7_00000000000000ab"));
}

void TestBase::ids_do_not_repeat() {
    std::set<std::string> seen;
    for (int i = 0; i < 10'000; ++i) seen.insert(RegionId::generate().str());
    QCOMPARE(seen.size(), std::size_t{10'000});
}

void TestBase::text_that_is_no_id_is_refused_data() {
    QTest::addColumn<QByteArray>("text");
    const char* cases[] = {"",
                           "shm_",
                           "shm__0123456789abcdef",
                           "shm_1_0123456789abcde",
                           "shm_1_0123456789abcdef0",
                           "shm_1_0123456789ABCDEF",
                           "shm_1_0123456789abcdeg",
                           "shm_01_0123456789abcdef",
                           "shm_0_0123456789abcdef",
                           "shm_-1_0123456789abcdef",
                           "shm_99999999999999999999_0123456789abcdef",
                           " shm_1_0123456789abcdef",
                           "shm_1_0123456789abcdef\n",
                           "SHM_1_0123456789abcdef",
                           "../shm_1_0123456789abcdef"};
    for (const auto* text : cases) QTest::newRow(text) << QByteArray(text);
    QTest::newRow("a nul inside") << QByteArray("shm_1_0123456789abcd\0f", 22);
}

void TestBase::text_that_is_no_id_is_refused() {
    QFETCH(QByteArray, text);
    const auto id =
        RegionId::parse(std::string_view(text.constData(), static_cast<std::size_t>(text.size())));
    QVERIFY(!id);
    QCOMPARE(id.error().code, ErrorCode::invalid_region_id);
    QVERIFY(!id.error().remedy.empty());
}

void TestBase::instance_names_that_could_leave_their_directory_are_refused() {
    for (const auto* name : {"default", "a", "team-1_b.c", "0123456789012345678901234567890_"})
        QVERIFY2(check_instance_name(name), name);
    for (const auto* name :
         {"", ".", "..", ".hidden", "a/b", "a b", "ä", "a\n", "012345678901234567890123456789012"})
        QVERIFY2(!check_instance_name(name), name);
}

void TestBase::sizes_are_read_as_people_write_them_data() {
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<quint64>("bytes");
    const std::pair<const char*, quint64> cases[] = {{"0", 0},
                                                     {"4096", 4096},
                                                     {"17B", 17},
                                                     {"64KiB", 65536},
                                                     {"64k", 65536},
                                                     {"1.5MiB", 1572864},
                                                     {"2gib", 2147483648ULL},
                                                     {"1TiB", 1ULL << 40},
                                                     {"8000000tib", 8000000ULL << 40}};
    for (const auto& [text, bytes] : cases) QTest::newRow(text) << QByteArray(text) << bytes;
}

void TestBase::sizes_are_read_as_people_write_them() {
    QFETCH(QByteArray, text);
    QFETCH(quint64, bytes);
    const auto size = parse_size(text.constData());
    QVERIFY(size);
    QCOMPARE(quint64{*size}, bytes);
}

void TestBase::text_that_is_no_size_is_refused_data() {
    QTest::addColumn<QByteArray>("text");
    for (const auto* text : {"", "KiB", "-1", "1e6", "1XiB", "1 2", "0x10", "nan", "inf", "1MiBs",
                             "64 KB", "1MB", "8388608TiB", "99999999999999999999999"})
        QTest::newRow(text) << QByteArray(text);
}

void TestBase::text_that_is_no_size_is_refused() {
    QFETCH(QByteArray, text);
    QVERIFY(!parse_size(text.constData()));
    QCOMPARE(parse_size(text.constData()).error().code, ErrorCode::invalid_argument);
}

void TestBase::durations_are_read_as_people_write_them_data() {
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<qint64>("millis");
    const std::pair<const char*, qint64> cases[] = {
        {"250", 250},    {"250ms", 250},    {"5s", 5000},    {"1.5 s", 1500},
        {"10m", 600000}, {"10min", 600000}, {"2h", 7200000}, {"7d", 604800000}};
    for (const auto& [text, millis] : cases) QTest::newRow(text) << QByteArray(text) << millis;
}

void TestBase::durations_are_read_as_people_write_them() {
    QFETCH(QByteArray, text);
    QFETCH(qint64, millis);
    const auto duration = parse_duration(text.constData());
    QVERIFY(duration);
    QCOMPARE(qint64{*duration}, millis);
    for (const auto* wrong : {"", "-1s", "5 years", "s"}) QVERIFY2(!parse_duration(wrong), wrong);
}

void TestBase::sizes_and_durations_print_in_the_largest_fitting_unit() {
    QCOMPARE(format_size(0), std::string("0 B"));
    QCOMPARE(format_size(1023), std::string("1023 B"));
    QCOMPARE(format_size(1536), std::string("1.5 KiB"));
    QCOMPARE(format_size(1ULL << 28), std::string("256 MiB"));
    // Not "1024 KiB": rounding must not step over the border of the unit.
    QCOMPARE(format_size((1ULL << 20) - 1), std::string("1 MiB"));
    QCOMPARE(format_duration(999), std::string("999 ms"));
    QCOMPARE(format_duration(3200), std::string("3.2 s"));
    QCOMPARE(format_duration(600'000), std::string("10 min"));
    QCOMPARE(format_duration(7'200'000), std::string("2 h"));
    QCOMPARE(format_duration(172'800'000), std::string("2 d"));
    QCOMPARE(format_nanos(830), std::string("830 ns"));
    QCOMPARE(format_nanos(12'340), std::string("12.3 µs"));
    QCOMPARE(format_nanos(999'900), std::string("1.00 ms"));
    QCOMPARE(format_nanos(2.5e9), std::string("2.50 s"));
}

void TestBase::a_filter_selects_what_it_says_data() {
    QTest::addColumn<QByteArray>("filter");
    QTest::addColumn<bool>("selected");
    const std::pair<const char*, bool> cases[] = {
        {"", true},
        {"   ", true},
        {"size=2MiB", true},
        {"size>1MiB", true},
        {"size>=2MiB", true},
        {"size>2MiB", false},
        {"size<2MiB", false},
        {"size<=2MiB size!=1MiB", true},
        {"owner:PYTHON", true},
        {"owner:pyt", true},
        {"owner=pyt", false},
        {"owner=python3", true},
        {"owner!=python3", false},
        {"-owner:python", false},
        {"refs=0", true},
        {"refs:0", true},
        {"refs>0", false},
        {"pid=4711 uid=1000", true},
        {"state:orphan", true},
        {"state=live", false},
        {"policy:auto", true},
        {"age>9m", true},
        {"age>11m", false},
        {"idle<1m", true},
        {"meta:tensor", true},
        {"meta:\"two words\"", true},
        {"meta:\"words two\"", false},
        {"TENSOR worker-3", true},
        {"tensor absent", false},
        {"-absent", true},
        {"shm_1000_", true},
        {"session=s1 placement=dedicated security=standard", true},
        {"cleanup:automatic", true},
        {"cleanup:manual", false},
        {"policy:automatic", true},
        {"holder:reader", true},
        {"holder=reader", false},
        {"holder=reader7", true},
        {"holder:rust", true},
        {"holder:815", true},
        {"holder=81", false},
        {"holder:python3", false},
        {"-holder:reader", false},
        {"holder!=reader7", false},
        {"holder!=nobody", true},
    };
    for (const auto& [filter, selected] : cases)
        QTest::newRow(filter) << QByteArray(filter) << selected;
}

void TestBase::a_filter_selects_what_it_says() {
    QFETCH(QByteArray, filter);
    QFETCH(bool, selected);
    RegionInfo region;
    region.id = {1000, 1};
    region.size = region.actual_size = 2 << 20;
    region.owner_process = "python3";
    region.owner_pid = 4711;
    region.owner_uid = 1000;
    region.state = RegionState::orphan;
    region.worker = "worker-3";
    region.session = "s1";
    region.metadata = R"({"kind":"tensor","note":"two words"})";
    region.references.push_back(
        {.pid = 815, .process = "rust-app", .count = 1, .worker = "Reader7"});
    const Timestamp at{1'000'000'000'000};
    region.created_at = {at.micros - 600'000'000};
    region.last_accessed = {at.micros - 30'000'000};

    const auto parsed = RegionFilter::parse(filter.constData());
    QVERIFY(parsed);
    QCOMPARE(parsed->matches(region, at), selected);
}

void TestBase::a_filter_that_means_nothing_says_which_part_data() {
    QTest::addColumn<QByteArray>("filter");
    QTest::addColumn<QByteArray>("named");
    QTest::newRow("field") << QByteArray("refs=0 colour:red") << QByteArray("colour");
    QTest::newRow("number") << QByteArray("refs=many") << QByteArray("many");
    QTest::newRow("size") << QByteArray("size>big") << QByteArray("big");
    QTest::newRow("duration") << QByteArray("age>old") << QByteArray("old");
    QTest::newRow("order of text") << QByteArray("owner>a") << QByteArray("owner");
    QTest::newRow("no value") << QByteArray("size>=") << QByteArray("size>=");
    QTest::newRow("half an operator") << QByteArray("size!5") << QByteArray("size!5");
    for (const auto* field : {"state", "cleanup", "policy", "security", "placement"})
        for (const auto* op : {":", "=", "!="})
            QTest::addRow("value of %s%s", field, op)
                << QByteArray(field) + op + "bogus" << QByteArray("bogus");
    QTest::newRow("a part is not the value") << QByteArray("state=orph") << QByteArray("orph");
    QTest::newRow("negated") << QByteArray("-state:bogus") << QByteArray("bogus");
}

void TestBase::a_filter_that_means_nothing_says_which_part() {
    QFETCH(QByteArray, filter);
    QFETCH(QByteArray, named);
    const auto parsed = RegionFilter::parse(filter.constData());
    QVERIFY(!parsed);
    QCOMPARE(parsed.error().code, ErrorCode::invalid_argument);
    QVERIFY2(parsed.error().message.find(named.constData()) != std::string::npos,
             parsed.error().message.c_str());
    QVERIFY(!parsed.error().remedy.empty());
}

void TestBase::a_value_that_a_field_never_has_is_refused_with_those_it_has() {
    const std::pair<const char*, const char*> cases[] = {
        {"state:bogus", "live, orphan, closing, quarantined, revoked, damaged"},
        {"cleanup=bogus", "automatic, manual, reference_counted"},
        {"security!=bogus", "standard, high, maximum"},
        {"placement:bogus", "automatic, pooled, dedicated"},
    };
    for (const auto& [filter, values] : cases) {
        const auto parsed = RegionFilter::parse(filter);
        QVERIFY(!parsed);
        QVERIFY2(parsed.error().remedy.find(values) != std::string::npos,
                 parsed.error().sentence().c_str());
    }
    QVERIFY(RegionFilter::parse("state:ORPH"));
}

void TestBase::times_survive_being_printed_and_read() {
    const Timestamp time{1'795'385'855'000'123};
    QCOMPARE(to_rfc3339(time), std::string("2026-11-22T22:17:35.000123Z"));
    QVERIFY(from_rfc3339(to_rfc3339(time)) == time);
    QVERIFY(from_rfc3339("2026-11-22T22:17:35Z") == Timestamp{1'795'385'855'000'000});
    QVERIFY(from_rfc3339("2026-11-22T22:17:35.5Z") == Timestamp{1'795'385'855'500'000});
    const Timestamp before_1970{-1};
    QVERIFY(from_rfc3339(to_rfc3339(before_1970)) == before_1970);
    QVERIFY(to_rfc3339({}).empty());
}

void TestBase::times_that_are_none_are_refused_data() {
    QTest::addColumn<QByteArray>("text");
    for (const auto* text :
         {"", "yesterday", "2026-11-22", "2026-11-22T22:17:35", "2026-11-22T22:17:35+01:00",
          "2026-11-22T22:17:35Zx", "2026-13-01T00:00:00Z", "2026-02-45T00:00:00Z",
          "2026-02-01T24:00:00Z", "2026-02-01T00:-1:00Z"})
        QTest::newRow(text) << QByteArray(text);
}

void TestBase::times_that_are_none_are_refused() {
    QFETCH(QByteArray, text);
    QVERIFY(!from_rfc3339(text.constData()));
}

void TestBase::errors_keep_the_type_their_code_belongs_to() {
    QCOMPARE(type_of(ErrorCode::no_space), ErrorType::allocation_failed);
    QCOMPARE(type_of(ErrorCode::region_in_use), ErrorType::cleanup_failed);
    QCOMPARE(type_of(static_cast<ErrorCode>(9999)), ErrorType::platform_error);
    QCOMPARE(to_string(ErrorCode::no_space), std::string_view("no_space"));
    QCOMPARE(to_string(ErrorType::memory_limit_exceeded),
             std::string_view("memory_limit_exceeded"));
    const auto error = make_error(ErrorCode::not_held, "nothing is held", "map it first");
    QCOMPARE(error.sentence(), std::string("nothing is held: map it first"));
    QVERIFY(error.process_id > 0);
    QVERIFY(error.time.micros > 0);
}

void TestBase::error_numbers_become_errors_with_a_remedy() {
    const auto full = system_error(ENOSPC, "cannot reserve");
    QCOMPARE(full.code, ErrorCode::no_space);
    QCOMPARE(full.system_error, ENOSPC);
    QVERIFY(full.message.starts_with("cannot reserve: "));
    QVERIFY(!full.remedy.empty());
    QCOMPARE(system_error(EACCES, "open").code, ErrorCode::permission_denied);
    // A number that means nothing of its own leaves the choice to the caller.
    QCOMPARE(system_error(EIO, "map", ErrorCode::mapping_failed).code, ErrorCode::mapping_failed);
}

void TestBase::an_error_leaves_the_function_through_the_macros() {
    const auto doubled = [](std::string_view text) -> Result<std::uint64_t> {
        SHM_ASSIGN(const auto size, parse_size(text));
        return size * 2;
    };
    const auto checked = [](std::string_view name) -> Status {
        SHM_TRY(check_instance_name(name));
        return {};
    };
    QCOMPARE(doubled("2KiB").value(), std::uint64_t{4096});
    QCOMPARE(doubled("x").error().code, ErrorCode::invalid_argument);
    QVERIFY(checked("a"));
    QVERIFY(!checked("/"));
}

QTEST_APPLESS_MAIN(TestBase)
#include "tst_base.moc"
