// SPDX-License-Identifier: MIT
// What /proc and a directory say, read; and what is made of it.
#include <QtTest>

#include <algorithm>

#include "made_host.h"
#include "made_processes.h"
#include "survey/known_programs.h"
#include "survey/linux/proc_files.h"
#include "survey/verdict.h"

using namespace snakepit::shm;
using namespace snakepit::shm::survey;
using namespace snakepit::shm::test;

namespace {

// A segment that nobody uses, made an hour ago.
HostSegment idle(SegmentKind kind, const char* label) {
    HostSegment out;
    out.kind = kind;
    out.name = out.label = label;
    out.uid = kUser;
    out.created = out.touched = {kNow.micros - 3600 * kSecond};
    return out;
}

const HostSegment* find(const HostSurvey& survey, const char* name) {
    const auto found =
        std::find_if(survey.segments.begin(), survey.segments.end(),
                     [name](const HostSegment& segment) { return segment.name == name; });
    return found == survey.segments.end() ? nullptr : &*found;
}

QString evidence(const HostSegment& segment) {
    QStringList out;
    for (const auto& sentence : segment.evidence) out += QString::fromStdString(sentence);
    return out.join("; ");
}

}  // namespace

class TestHostSurvey : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_line_of_maps_tells_device_inode_and_reach();
    void names_tell_programs_and_pids_data();
    void names_tell_programs_and_pids();
    void who_maps_and_who_only_has_it_open_is_told_apart();
    void system_v_segments_are_used_by_their_number();
    void memory_without_a_name_is_found_where_it_is_used();
    void a_file_that_lost_its_name_is_still_memory();
    void names_like_those_of_other_kinds_stay_apart();
    void our_own_are_told_by_their_marks();
    void an_instance_is_read_from_the_end_of_a_name();
    void a_number_that_was_given_out_again_is_not_the_creator();
    void hidden_processes_leave_the_verdict_open();
    void what_is_older_than_the_system_shows_that_the_clock_was_set();
    void huge_pages_are_counted_once();
    void what_is_in_swap_is_taken_too();

    void a_private_segment_without_creator_and_last_user_is_left_over();
    void one_with_a_key_is_never_certain();
    void one_whose_last_user_lives_is_not_left_over();
    void one_whose_creator_lives_is_not_left_over();
    void who_seems_to_have_started_later_may_still_be_the_creator();
    void a_young_one_is_never_certain();
    void one_of_another_namespace_is_never_certain();
    void a_pid_in_a_name_decides_only_where_all_was_seen();
    void python_is_judged_by_its_resource_tracker();
    void postgresql_keeps_its_segments_while_it_runs();
    void a_file_of_nobody_known_is_left_alone();
    void attachments_that_cannot_be_seen_count();

  private:
    HostSegment judged(HostSegment segment) {
        judge(segment, {.now = kNow,
                        .boot = {kNow.micros - 100'000 * kSecond},
                        .processes = processes_,
                        .instances = instances_,
                        .complete = complete_,
                        .all_listed = true,
                        .foreign_pids = foreign_pids_});
        return segment;
    }
    MadeProcesses processes_;
    Instances instances_;
    bool complete_ = true, foreign_pids_ = false;

  private Q_SLOTS:
    void init() {
        processes_ = {};
        processes_.add(1, "init", 100'000);
        complete_ = true;
        foreign_pids_ = false;
    }
};

void TestHostSurvey::a_line_of_maps_tells_device_inode_and_reach() {
    const auto line = parse_map_line(
        "7f48187d6000-7f48187d8000 rw-s 00033000 00:1a 332383                     /dev/shm/a b");
    QVERIFY(line.has_value());
    QCOMPARE(line->device, std::uint64_t{makedev(0, 0x1a)});
    QCOMPARE(line->inode, std::uint64_t{332383});
    QCOMPARE(line->offset + line->end - line->begin, std::uint64_t{0x35000});
    QCOMPARE(std::string(line->path), std::string("/dev/shm/a b"));
    QCOMPARE(line->begin, std::uint64_t{0x7f48187d6000});
    QVERIFY(!parse_map_line("7ffc9264d000-7ffc9266e000 rw-p 00000000 00:00 0         [stack]"));
    QVERIFY(!parse_map_line(""));
    QVERIFY(!parse_map_line("nonsense"));
}

void TestHostSurvey::names_tell_programs_and_pids_data() {
    QTest::addColumn<QString>("label");
    QTest::addColumn<QString>("program");
    QTest::addColumn<qint64>("creator");
    QTest::newRow("postgres") << "PostgreSQL.1804289383"
                              << "PostgreSQL" << qint64{0};
    QTest::newRow("chromium") << ".org.chromium.Chromium.aB3dEf"
                              << "Chromium" << qint64{0};
    QTest::newRow("python") << "psm_0a1b2c3d"
                            << "Python multiprocessing" << qint64{0};
    QTest::newRow("not python's") << "psm_of_mine"
                                  << "" << qint64{0};
    QTest::newRow("torch") << "torch_4711_1234_0"
                           << "PyTorch" << qint64{4711};
    QTest::newRow("torch without pid") << "torch_of_mine"
                                       << "" << qint64{0};
    QTest::newRow("pulse") << "pulse-shm-123"
                           << "PulseAudio" << qint64{0};
    QTest::newRow("semaphore") << "sem.mine"
                               << "POSIX semaphore" << qint64{0};
    QTest::newRow("nccl") << "nccl-aB3dEf"
                          << "NCCL" << qint64{0};
    QTest::newRow("plain") << "data.bin"
                           << "" << qint64{0};
    QTest::newRow("empty") << ""
                           << "" << qint64{0};
}

void TestHostSurvey::names_tell_programs_and_pids() {
    QFETCH(QString, label);
    QFETCH(QString, program);
    QFETCH(qint64, creator);
    const auto found = recognise(SegmentKind::posix, label.toStdString());
    QCOMPARE(found.known ? QString::fromStdString(std::string(found.known->program)) : QString(),
             program);
    if (found.known) QCOMPARE(qint64{found.creator}, creator);
}

void TestHostSurvey::who_maps_and_who_only_has_it_open_is_told_apart() {
    MadeHost host;
    const auto file = host.segment("shared");
    (void)host.segment("idle");
    host.process(100, "mapper", 50, MadeHost::mapping(file));
    host.process(200, "opener", 50);
    host.opens(200, 7, file);
    host.opens(200, 8, host.path("proc/uptime"));
    const auto survey = survey_host(host.options());
    QVERIFY(survey.has_value());
    const auto* shared = find(*survey, "shared");
    QVERIFY(shared);
    QCOMPARE(shared->users.size(), std::size_t{2});
    for (const auto& user : shared->users) QCOMPARE(user.maps, user.pid == 100);
    QCOMPARE(shared->verdict, SegmentVerdict::in_use);
    QCOMPARE(shared->confidence, 100);
    QCOMPARE(shared->size, std::uint64_t{4096});
    const auto* alone = find(*survey, "idle");
    QVERIFY(alone && alone->users.empty());
    QCOMPARE(alone->verdict, SegmentVerdict::unknown);
}

void TestHostSurvey::system_v_segments_are_used_by_their_number() {
    MadeHost host;
    host.system_v({MadeHost::row(0, 5, 999, 999, 0, 600), MadeHost::row(77, 6, 100, 100, 1, 600)});
    host.process(
        100, "postgres", 700,
        "7f0000000000-7f0000002000 rw-s 00000000 00:01 6         /SYSV0000004d (deleted)\n");
    const auto survey = survey_host(host.options());
    QVERIFY(survey.has_value());
    const auto *left = find(*survey, "sysv:5"), *used = find(*survey, "sysv:6");
    QVERIFY(left && used);
    QCOMPARE(left->verdict, SegmentVerdict::left_over);
    QCOMPARE(left->confidence, 95);
    QVERIFY(left->creator_gone && !left->creator_reused);
    QCOMPARE(left->size, std::uint64_t{8192});
    QCOMPARE(left->resident, std::uint64_t{4096});
    QCOMPARE(left->mode, 0600U);
    QCOMPARE(used->verdict, SegmentVerdict::in_use);
    QCOMPARE(used->users.front().pid, std::int64_t{100});
    QCOMPARE(used->key, std::int64_t{77});
    QCOMPARE(used->program, std::string("PostgreSQL"));
    QCOMPARE(used->creator_process, std::string("postgres"));
}

void TestHostSurvey::memory_without_a_name_is_found_where_it_is_used() {
    MadeHost host;
    const QString line =
        "7f0000000000-7f0000010000 rw-s 00000000 00:01 42     /memfd:pulseaudio (deleted)\n";
    host.process(100, "pulseaudio", 50, line);
    host.process(101, "client", 40, line);
    const auto survey = survey_host(host.options());
    QVERIFY(survey.has_value());
    const auto* memory = find(*survey, "memfd:1:42");
    QVERIFY(memory);
    QCOMPARE(memory->label, std::string("memfd:pulseaudio"));
    QCOMPARE(memory->program, std::string("PulseAudio"));
    QCOMPARE(memory->users.size(), std::size_t{2});
    QCOMPARE(memory->size, std::uint64_t{0x10000});
    QCOMPARE(memory->verdict, SegmentVerdict::in_use);
}

void TestHostSurvey::a_file_that_lost_its_name_is_still_memory() {
    MadeHost host;
    const auto file = host.segment("gone");
    const auto line = MadeHost::mapping(file, "/dev/shm/.org.chromium.Chromium.aB3dEf (deleted)");
    QFile::remove(file);
    host.process(100, "chromium", 50, line);
    const auto survey = survey_host(host.options());
    QVERIFY(survey.has_value());
    QCOMPARE(survey->segments.size(), std::size_t{1});
    const auto& segment = survey->segments.front();
    QVERIFY(segment.unlinked);
    QVERIFY(segment.name.starts_with("unlinked:"));
    QCOMPARE(segment.program, std::string("Chromium"));
    QCOMPARE(segment.verdict, SegmentVerdict::in_use);
}

void TestHostSurvey::names_like_those_of_other_kinds_stay_apart() {
    MadeHost host;
    (void)host.segment("sysv:5");
    (void)host.segment("below/inner");
    host.system_v({MadeHost::row(0, 5, 1, 1, 0, 600)});
    QFile::link("/etc/passwd", host.path("shm/link"));
    const auto survey = survey_host(host.options());
    QVERIFY(survey.has_value());
    QCOMPARE(survey->segments.size(), std::size_t{3});
    QCOMPARE(find(*survey, "sysv:5")->kind, SegmentKind::system_v);
    QCOMPARE(find(*survey, "./sysv:5")->kind, SegmentKind::posix);
    QVERIFY(find(*survey, "below/inner"));
}

void TestHostSurvey::our_own_are_told_by_their_marks() {
    MadeHost host;
    host.write("registry", "x");
    host.write("shm/.snakepit_blue_sky@0123", host.path("registry") + "\n");
    host.write("shm/.snakepit_lost@0123", host.path("nowhere") + "\n");
    (void)host.segment("snakepit_blue_sky_arena_0123456789abcdef");
    (void)host.segment("snakepit_lost_shm_1700000000000000_0123456789abcdef");
    (void)host.segment("snakepit_of_mine");
    const auto survey = survey_host(host.options());
    QVERIFY(survey.has_value());
    const auto* known = find(*survey, "snakepit_blue_sky_arena_0123456789abcdef");
    QCOMPARE(known->verdict, SegmentVerdict::ours);
    QVERIFY2(evidence(*known).contains(host.path("registry")), qPrintable(evidence(*known)));
    const auto* lost = find(*survey, "snakepit_lost_shm_1700000000000000_0123456789abcdef");
    QCOMPARE(lost->verdict, SegmentVerdict::ours);
    QVERIFY(lost->confidence < known->confidence);
    QCOMPARE(find(*survey, ".snakepit_blue_sky@0123")->verdict, SegmentVerdict::ours);
    QCOMPARE(find(*survey, "snakepit_of_mine")->verdict, SegmentVerdict::unknown);
}

// "x" is no owner of what "x_1" and "x_shm" made.
void TestHostSurvey::an_instance_is_read_from_the_end_of_a_name() {
    MadeHost host;
    host.write("registry", "x");
    const QString random(32, 'a');
    host.write("shm/.snakepit_x@0-00000000aaaaaaaa-" + random, host.path("registry") + "\n");
    host.write("shm/.snakepit_x@0123456789abcdef", host.path("registry") + "\n");
    for (const auto* name : {"snakepit_x_1_shm_1700000000000000_aaaaaaaa89abcdef",
                             "snakepit_x_1_arena_aaaaaaaa89abcdef",
                             "snakepit_x_shm_1_shm_1700000000000000_aaaaaaaa89abcdef",
                             "snakepit_x_arena_aaaaaaaa89abcdef_arena_aaaaaaaa89abcdef"}) {
        (void)host.segment(name);
        const auto survey = survey_host(host.options());
        const auto* found = find(*survey, name);
        QCOMPARE(found->verdict, SegmentVerdict::ours);
        QVERIFY2(!evidence(*found).contains("instance x"), qPrintable(evidence(*found)));
    }
    for (const auto* name : {"snakepit_x_shm_1700000000000000_aaaaaaaa89abcdef_second_sealed",
                             "snakepit_x_arena_aaaaaaaa89abcdef"}) {
        (void)host.segment(name);
        const auto survey = survey_host(host.options());
        QVERIFY2(evidence(*find(*survey, name)).contains("instance x,"), name);
    }
}

void TestHostSurvey::a_number_that_was_given_out_again_is_not_the_creator() {
    MadeHost host;
    host.system_v({MadeHost::row(0, 5, 300, 300, 0, 600), MadeHost::row(0, 6, 301, 301, 0, 600)});
    host.process(300, "stranger", 500);
    host.process(301, "maker", 700);
    const auto survey = survey_host(host.options());
    QVERIFY(survey.has_value());
    const auto *reused = find(*survey, "sysv:5"), *living = find(*survey, "sysv:6");
    QVERIFY(reused->creator_gone && reused->creator_reused);
    QCOMPARE(reused->verdict, SegmentVerdict::left_over);
    QVERIFY(evidence(*reused).contains("stranger"));
    QVERIFY(reused->confidence < kCertain);  // the clock may have been set
    QVERIFY(!living->creator_gone);
    QCOMPARE(living->creator_process, std::string("maker"));
    QCOMPARE(living->verdict, SegmentVerdict::unknown);
}

void TestHostSurvey::hidden_processes_leave_the_verdict_open() {
    MadeHost host;
    host.system_v({MadeHost::row(0, 5, 999, 999, 0, 600)});
    QDir(host.path("proc/1")).removeRecursively();
    host.process(50, "own", 50);
    const auto survey = survey_host(host.options());
    QVERIFY(survey.has_value());
    QVERIFY(!survey->limits.empty());
    QCOMPARE(find(*survey, "sysv:5")->verdict, SegmentVerdict::unknown);
}

// Nothing in memory was there before the system started. With a clock that was set everybody seems
// to have started later than he did.
void TestHostSurvey::what_is_older_than_the_system_shows_that_the_clock_was_set() {
    MadeHost host;
    host.system_v({MadeHost::row(0, 5, 300, 300, 0, MadeHost::kUptime + 600),
                   MadeHost::row(0, 6, 301, 301, 0, 600), MadeHost::row(0, 7, 999, 999, 0, 600)});
    host.process(300, "maker", 500);
    host.process(301, "another", 500);
    const auto survey = survey_host(host.options());
    QVERIFY(survey.has_value());
    for (const auto* name : {"sysv:5", "sysv:6"}) {
        const auto& segment = *find(*survey, name);
        QVERIFY(!segment.creator_gone);
        QCOMPARE(segment.verdict, SegmentVerdict::unknown);
        QVERIFY2(evidence(segment).contains("the clock was set"), qPrintable(evidence(segment)));
    }
    QVERIFY(find(*survey, "sysv:7")->creator_gone);  // for that no time is needed
    QVERIFY(std::any_of(survey->limits.begin(), survey->limits.end(), [](const auto& limit) {
        return QString::fromStdString(limit).contains("the clock was set");
    }));
}

// 32 MiB of huge pages, as Linux 6.18 shows them; and a size that is no whole number of them.
void TestHostSurvey::huge_pages_are_counted_once() {
    MadeHost host;
    const auto row = [](int id, qint64 size, qint64 shown) {
        return QString("0 %1 600 %2 999 999 0 0 0 0 0 0 0 1700000000 %3 0\n")
            .arg(id)
            .arg(size)
            .arg(shown);
    };
    host.system_v({row(5, 32 << 20, qint64{16} << 30), row(6, 32 << 20, qint64{1} << 30),
                   row(7, (2 << 20) + 1, 4 << 20), row(8, 5000, 8192)});
    const auto survey = survey_host(host.options());
    QVERIFY(survey.has_value());
    QCOMPARE(find(*survey, "sysv:5")->resident, std::uint64_t{32} << 20);
    QCOMPARE(find(*survey, "sysv:6")->resident, std::uint64_t{2} << 20);
    QCOMPARE(find(*survey, "sysv:7")->resident, std::uint64_t{4} << 20);
    QCOMPARE(find(*survey, "sysv:8")->resident, std::uint64_t{8192});
}

void TestHostSurvey::what_is_in_swap_is_taken_too() {
    MadeHost host;
    host.system_v({"0 5 600 104857600 999 999 0 0 0 0 0 0 0 1700000000 61460480 43397120\n"});
    const auto survey = survey_host(host.options());
    QVERIFY(survey.has_value());
    QCOMPARE(find(*survey, "sysv:5")->resident, std::uint64_t{104857600});
}

void TestHostSurvey::a_private_segment_without_creator_and_last_user_is_left_over() {
    auto segment = idle(SegmentKind::system_v, "sysv:5");
    segment.creator = 77;
    segment.last_user = 78;
    const auto out = judged(segment);
    QCOMPARE(out.verdict, SegmentVerdict::left_over);
    QVERIFY(out.confidence >= kCertain);
    QVERIFY2(evidence(out).contains("77"), qPrintable(evidence(out)));
}

void TestHostSurvey::one_with_a_key_is_never_certain() {
    auto segment = idle(SegmentKind::system_v, "sysv:5");
    segment.creator = segment.last_user = 77;
    segment.key = 5;
    const auto out = judged(segment);
    QCOMPARE(out.verdict, SegmentVerdict::left_over);
    QVERIFY(out.confidence < kCertain);
}

void TestHostSurvey::one_whose_last_user_lives_is_not_left_over() {
    auto segment = idle(SegmentKind::system_v, "sysv:5");
    segment.creator = 77;
    segment.last_user = 78;
    processes_.add(78, "worker", 4000);
    QCOMPARE(judged(segment).verdict, SegmentVerdict::unknown);
}

void TestHostSurvey::one_whose_creator_lives_is_not_left_over() {
    auto segment = idle(SegmentKind::system_v, "sysv:5");
    segment.creator = segment.last_user = 77;
    processes_.add(77, "maker", 4000);
    QCOMPARE(judged(segment).verdict, SegmentVerdict::unknown);
}

// The creator of each runs, and the clock was set forward by two minutes after they were made.
void TestHostSurvey::who_seems_to_have_started_later_may_still_be_the_creator() {
    auto private_one = idle(SegmentKind::system_v, "sysv:5");
    private_one.creator = private_one.last_user = 77;
    processes_.add(77, "maker", 3500);
    auto last_user = idle(SegmentKind::system_v, "sysv:6");
    last_user.creator = 70;
    last_user.last_user = 77;
    for (const auto& segment : {private_one, last_user, idle(SegmentKind::posix, "torch_77_1_0"),
                                idle(SegmentKind::posix, "pym-77-0a1b2c3d")}) {
        const auto out = judged(segment);
        QVERIFY2(out.confidence_if_unused < kCertain, segment.name.c_str());
    }
    processes_ = {};
    QVERIFY(judged(private_one).confidence >= kCertain);
}

void TestHostSurvey::a_young_one_is_never_certain() {
    auto segment = idle(SegmentKind::system_v, "sysv:5");
    segment.creator = segment.last_user = 77;
    segment.created = segment.touched = {kNow.micros - 30 * kSecond};
    const auto out = judged(segment);
    QCOMPARE(out.verdict, SegmentVerdict::left_over);
    QVERIFY(out.confidence < kCertain);
}

void TestHostSurvey::one_of_another_namespace_is_never_certain() {
    auto segment = idle(SegmentKind::system_v, "sysv:5");
    segment.creator = segment.last_user = 77;
    segment.name_space = 4026532178;
    const auto out = judged(segment);
    QCOMPARE(out.verdict, SegmentVerdict::left_over);
    QVERIFY(out.confidence < kCertain);
}

void TestHostSurvey::a_pid_in_a_name_decides_only_where_all_was_seen() {
    const auto segment = idle(SegmentKind::posix, "torch_4711_1234_0");
    auto out = judged(segment);
    QCOMPARE(out.verdict, SegmentVerdict::left_over);
    QVERIFY(out.confidence >= kCertain);
    QCOMPARE(out.creator, std::int64_t{4711});

    foreign_pids_ = true;
    QVERIFY(judged(segment).confidence < kCertain);
    foreign_pids_ = false;
    complete_ = false;
    out = judged(segment);
    QVERIFY(out.confidence < kCertain);
    QVERIFY(out.confidence_if_unused >= kCertain);  // the kernel may yet say the rest
    QVERIFY(!out.users_complete);
    complete_ = true;
    processes_.add(4711, "python3", 4000);
    QCOMPARE(judged(segment).verdict, SegmentVerdict::unknown);
}

void TestHostSurvey::python_is_judged_by_its_resource_tracker() {
    const auto segment = idle(SegmentKind::posix, "psm_0a1b2c3d");
    auto out = judged(segment);
    QCOMPARE(out.verdict, SegmentVerdict::left_over);
    QVERIFY(out.confidence >= kCertain);
    processes_.add(50, "python3", 1000, true);  // started after it, unless the clock was set
    out = judged(segment);
    QCOMPARE(out.verdict, SegmentVerdict::left_over);
    QVERIFY(out.confidence < kCertain);

    processes_.add(51, "python3", 4000);
    out = judged(segment);
    QCOMPARE(out.verdict, SegmentVerdict::left_over);
    QVERIFY(out.confidence < kCertain);

    processes_.add(52, "python3", 4000, true);
    QCOMPARE(judged(segment).verdict, SegmentVerdict::unknown);
}

void TestHostSurvey::postgresql_keeps_its_segments_while_it_runs() {
    const auto segment = idle(SegmentKind::posix, "PostgreSQL.123456");
    QCOMPARE(judged(segment).verdict, SegmentVerdict::left_over);
    processes_.add(60, "postgres", 10);
    QCOMPARE(judged(segment).verdict, SegmentVerdict::kept);
}

void TestHostSurvey::a_file_of_nobody_known_is_left_alone() {
    auto segment = idle(SegmentKind::posix, "data.bin");
    QCOMPARE(judged(segment).verdict, SegmentVerdict::unknown);
    segment.uid = kUser + 1;  // who runs nothing any more
    segment.touched = {kNow.micros - 90'000 * kSecond};
    const auto out = judged(segment);
    QCOMPARE(out.verdict, SegmentVerdict::left_over);
    QVERIFY(out.confidence < kCertain);
}

void TestHostSurvey::attachments_that_cannot_be_seen_count() {
    auto segment = idle(SegmentKind::system_v, "sysv:5");
    segment.creator = 77;
    segment.attached = 2;
    QCOMPARE(judged(segment).verdict, SegmentVerdict::in_use);
}

QTEST_GUILESS_MAIN(TestHostSurvey)
#include "tst_host_survey.moc"
