// SPDX-License-Identifier: MIT
// What /proc and a directory say, read; and what is made of it.
#include <QtTest>

#include <algorithm>

#include "made_host.h"
#include "survey/known_programs.h"
#include "survey/linux/proc_files.h"
#include "survey/linux/process_table.h"
#include "survey/verdict.h"

using namespace snakepit::shm;
using namespace snakepit::shm::survey;
using namespace snakepit::shm::test;

namespace {

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

constexpr std::uint32_t kOwner = 104'304;  // nobody's id here

ProcessTable table_of(const MadeHost& host) {
    return std::move(ProcessTable::read(host.options().proc_path, now()).value());
}

Answer anyone_of(const MadeHost& host, std::uint32_t uid) {
    return table_of(host).anyone({{uid}, {}, false}).answer;
}

bool has_limit(const HostSurvey& survey, const char* text) {
    return std::any_of(survey.limits.begin(), survey.limits.end(), [text](const auto& limit) {
        return QString::fromStdString(limit).contains(text);
    });
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
    void a_living_number_is_the_creator_whenever_it_started();
    void hidden_processes_leave_the_verdict_open();
    void what_is_older_than_the_system_shows_that_the_clock_was_set();
    void huge_pages_are_counted_once();
    void what_is_in_swap_is_taken_too();
    void a_file_with_several_names_is_one_segment();
    void directories_are_read_to_any_depth();
    void what_is_no_file_is_told();
    void system_v_keeps_what_the_kernel_says();
    void a_process_that_may_not_be_read_is_not_gone();
    void the_number_of_a_thread_is_no_process();
    void a_proc_that_does_not_show_us_proves_nothing();
    void mount_options_that_cannot_be_read_may_hide_processes();
    void a_process_that_ends_while_it_is_read_may_have_left_a_child();
    void a_child_of_one_that_ended_is_found();
    void threads_that_were_left_out_may_act_for_anybody();
    void a_directory_without_its_files_is_not_gone();
    void privileges_let_a_process_in_data();
    void privileges_let_a_process_in();
    void a_thread_that_acts_for_another_user_is_let_in();
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
    // The first System V segment of a namespace has the inode 0.
    const auto first = parse_map_line(
        "7ff40b75e000-7ff40b760000 rw-s 00000000 00:01 0                          /SYSV00000000 "
        "(deleted)");
    QVERIFY(first && first->inode == 0 && first->path == "/SYSV00000000 (deleted)");
    QVERIFY(!parse_map_line("7ffc9264d000-7ffc9266e000 rw-p 00000000 00:00 0"));
    QVERIFY(!parse_map_line(""));
    QVERIFY(!parse_map_line("nonsense"));
}

void TestHostSurvey::names_tell_programs_and_pids_data() {
    QTest::addColumn<QString>("label");
    QTest::addColumn<QString>("program");
    QTest::addColumn<qint64>("creator");
    QTest::newRow("postgres") << "PostgreSQL.1804289383"
                              << "PostgreSQL" << qint64{0};
    QTest::newRow("postgres, a short number") << "PostgreSQL.56523858"
                                              << "PostgreSQL" << qint64{0};
    QTest::newRow("chromium") << ".org.chromium.Chromium.aB3dEf"
                              << "Chromium" << qint64{0};
    QTest::newRow("python") << "psm_0a1b2c3d"
                            << "Python multiprocessing" << qint64{0};
    QTest::newRow("not python's") << "psm_of_mine"
                                  << "" << qint64{0};
    QTest::newRow("short like python's") << "psm_cafe"
                                         << "" << qint64{0};
    QTest::newRow("longer than python's") << "psm_0a1b2c3d4e"
                                          << "" << qint64{0};
    QTest::newRow("python's lock") << "sem.mp-a_2x9qzk"
                                   << "Python multiprocessing" << qint64{0};
    QTest::newRow("not python's lock") << "sem.mp-door"
                                       << "POSIX semaphore" << qint64{0};
    QTest::newRow("loky's lock") << "sem.loky-4711-a_2x9qzk"
                                 << "joblib" << qint64{4711};
    QTest::newRow("ucx") << "ucx_shm_posix_7f3a19c2"
                         << "UCX" << qint64{0};
    QTest::newRow("cuda") << "cuda.shm.3e9.52f2.1"
                          << "CUDA" << qint64{0};
    QTest::newRow("torch") << "torch_4711_1234_0"
                           << "PyTorch" << qint64{4711};
    QTest::newRow("torch without pid") << "torch_of_mine"
                                       << "" << qint64{0};
    QTest::newRow("pulse") << "pulse-shm-1234567890"
                           << "PulseAudio" << qint64{0};
    QTest::newRow("semaphore") << "sem.mine"
                               << "POSIX semaphore" << qint64{0};
    QTest::newRow("nccl") << "nccl-aB3dEf"
                          << "NCCL" << qint64{0};
    for (const auto* name :
         {"sm_segment.attack", "vader_segment.attack", "psm2_shm.attack", "psm2_shm.1",
          "nccl-attack", "nccl-Attack", "nccl-ATTACK", "nccl-a_2b3c", "PostgreSQL.16",
          "PostgreSQL.20241129", "PostgreSQL.4294967296", "pulse-shm-1", "torch_2024_attack",
          "torch_4711_1234", ".org.chromium.Chromium.profile", "psm_deadbeef", "ucx_shm_posix_1",
          "WK2SharedMemory.1"})
        QTest::newRow(name) << name << "" << qint64{0};
    QTest::newRow("vader") << "vader_segment.a.host.example.1000.1f2e0001.0"
                           << "Open MPI" << qint64{0};
    QTest::newRow("sm") << "sm_segment.host.1000.1f2e0001.12"
                        << "Open MPI" << qint64{0};
    QTest::newRow("psm2") << "psm2_shm.100000000000000a02020"
                          << "Omni-Path PSM2" << qint64{0};
    QTest::newRow("a heap of python") << "pym-4711-a1b2c_d4"
                                      << "Python multiprocessing" << qint64{4711};
    QTest::newRow("a pipe of gstreamer") << "shmpipe.12345.    0"
                                         << "GStreamer" << qint64{12345};
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
    for (const auto& user : shared->users) QCOMPARE(user.how == UseKind::maps, user.pid == 100);
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
    QVERIFY(left->confidence < kCertain);  // it was used ten minutes ago
    QCOMPARE(left->creator.life, Life::gone);
    QCOMPARE(left->size, std::uint64_t{8192});
    QCOMPARE(left->resident, std::uint64_t{4096});
    QCOMPARE(left->mode, 0600U);
    QCOMPARE(used->verdict, SegmentVerdict::in_use);
    QCOMPARE(used->users.front().pid, std::int64_t{100});
    QCOMPARE(used->key, std::int64_t{77});
    QCOMPARE(used->program, std::string("PostgreSQL"));
    QCOMPARE(used->creator.program, std::string("postgres"));
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
        for (const auto* other : {"nstance x,", "nstance x "})
            QVERIFY2(!evidence(*found).contains(other), qPrintable(evidence(*found)));
    }
    for (const auto* name : {"snakepit_x_shm_1700000000000000_aaaaaaaa89abcdef_second_sealed",
                             "snakepit_x_arena_aaaaaaaa89abcdef"}) {
        (void)host.segment(name);
        const auto survey = survey_host(host.options());
        QVERIFY2(evidence(*find(*survey, name)).contains("nstance x,"),
                 qPrintable(evidence(*find(*survey, name))));
    }
}

// When processes started is known by another clock than when segments were made.
void TestHostSurvey::a_living_number_is_the_creator_whenever_it_started() {
    MadeHost host;
    host.system_v({MadeHost::row(0, 5, 300, 300, 0, 6000), MadeHost::row(0, 6, 301, 301, 0, 6000)});
    host.process(300, "younger", 5000);
    host.process(301, "older", 7000);
    const auto survey = survey_host(host.options());
    QVERIFY(survey.has_value());
    for (const auto* name : {"sysv:5", "sysv:6"}) {
        QCOMPARE(find(*survey, name)->creator.life, Life::lives);
        QCOMPARE(find(*survey, name)->verdict, SegmentVerdict::unknown);
    }
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
        QCOMPARE(segment.creator.life, Life::lives);
        QCOMPARE(segment.verdict, SegmentVerdict::unknown);
        QVERIFY2(evidence(segment).contains("The clock was set"), qPrintable(evidence(segment)));
    }
    QCOMPARE(find(*survey, "sysv:7")->creator.life, Life::gone);  // for that no time is needed
    QVERIFY(std::any_of(survey->limits.begin(), survey->limits.end(), [](const auto& limit) {
        return QString::fromStdString(limit).contains("The clock was set");
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

void TestHostSurvey::a_file_with_several_names_is_one_segment() {
    MadeHost host;
    const auto file = host.segment("second");
    QVERIFY(::link(qPrintable(file), qPrintable(host.path("shm/first"))) == 0);
    host.process(100, "mapper", 50, MadeHost::mapping(file));
    const auto survey = survey_host(host.options());
    QVERIFY(survey.has_value());
    QCOMPARE(survey->segments.size(), std::size_t{1});
    const auto& segment = survey->segments.front();
    QCOMPARE(segment.name, std::string("first"));
    QCOMPARE(segment.names, (std::vector<std::string>{"first", "second"}));
    QCOMPARE(segment.links, std::uint64_t{2});
    QCOMPARE(segment.verdict, SegmentVerdict::in_use);
    QVERIFY(is_called(segment, "second"));
}

void TestHostSurvey::directories_are_read_to_any_depth() {
    MadeHost host;
    QString name;
    for (int depth = 0; depth < 40; ++depth) name += "d/";
    (void)host.segment(name + "log");
    const auto survey = survey_host(host.options());
    QVERIFY(survey.has_value());
    QVERIFY(find(*survey, qPrintable(name + "log")));
    QCOMPARE(survey->others.size(), std::size_t{40});
}

void TestHostSurvey::what_is_no_file_is_told() {
    MadeHost host;
    QVERIFY(::mkfifo(qPrintable(host.path("shm/control")), 0600) == 0);
    QVERIFY(QFile::link("/etc/passwd", host.path("shm/link")));
    const auto survey = survey_host(host.options());
    QVERIFY(survey.has_value());
    QVERIFY(survey->segments.empty());
    QCOMPARE(survey->others.size(), std::size_t{2});
    const auto items = clean_host({"control"}, {.dry_run = true}, host.options());
    QVERIFY(items.has_value());
    QCOMPARE(items->front().refusal, Refusal::not_found);
    QVERIFY(items->front().reason.find("FIFO") != std::string::npos);
}

void TestHostSurvey::system_v_keeps_what_the_kernel_says() {
    MadeHost host;
    host.system_v({"0 5 1600 4096 300 301 1 11 12 13 14 1700000000 0 1700000000 0 0\n"});
    host.process(301, "server", 50);
    const auto survey = survey_host(host.options());
    const auto* segment = find(*survey, "sysv:5");
    QVERIFY(segment && segment->removed);
    QCOMPARE(segment->mode, 0600U);
    QCOMPARE(segment->gid, 12U);
    QCOMPARE(segment->creator_uid, 13U);
    QCOMPARE(segment->creator_gid, 14U);
    QCOMPARE(segment->verdict, SegmentVerdict::in_use);
    QVERIFY2(evidence(*segment).contains("already removed"), qPrintable(evidence(*segment)));
}

// Which is what it looks like where /proc hides what is in a process's directory.
void TestHostSurvey::a_process_that_may_not_be_read_is_not_gone() {
    MadeHost host;
    host.system_v({MadeHost::row(0, 5, 300, 300, 0, 6000)});
    host.process(300, "service", 7000);
    QVERIFY(QFile::remove(host.path("proc/300/stat")));
    QVERIFY(QFile::link("stat", host.path("proc/300/stat")));  // ELOOP: neither there nor absent
    const auto survey = survey_host(host.options());
    const auto* segment = find(*survey, "sysv:5");
    QCOMPARE(segment->creator.life, Life::not_told);
    QCOMPARE(segment->verdict, SegmentVerdict::unknown);
    QVERIFY(segment->creator_may_live);
}

void TestHostSurvey::the_number_of_a_thread_is_no_process() {
    MadeHost host;
    host.system_v({MadeHost::row(0, 5, 301, 301, 0, 6000)});
    host.process(300, "server", 7000);
    host.write("proc/301/stat", "301 (server) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 2 0 5 0\n");
    host.write("proc/301/status", "Name:\tserver\nTgid:\t300\n");
    // Threads have directories that are not listed.
    QVERIFY(QFile::rename(host.path("proc/301"), host.path("proc/hidden")));
    QVERIFY(QFile::link("hidden", host.path("proc/301")));
    const auto survey = survey_host(host.options());
    const auto* segment = find(*survey, "sysv:5");
    QVERIFY2(!evidence(*segment).contains("is running ("), qPrintable(evidence(*segment)));
    QCOMPARE(segment->creator.life, Life::gone);
}

// As after nsenter into a mount namespace whose /proc is that of another pid namespace.
void TestHostSurvey::a_proc_that_does_not_show_us_proves_nothing() {
    MadeHost host;
    host.system_v({MadeHost::row(0, 5, 999, 999, 0, 6000)});
    (void)host.segment("torch_4711_1234_0");
    QVERIFY(QDir(host.path("proc/self")).removeRecursively());
    const auto survey = survey_host(host.options());
    QVERIFY(survey.has_value());
    QVERIFY(has_limit(*survey, "another pid namespace"));
    for (const auto* name : {"sysv:5", "torch_4711_1234_0"}) {
        const auto* segment = find(*survey, name);
        QCOMPARE(segment->creator.life, Life::not_told);
        QCOMPARE(segment->verdict, SegmentVerdict::unknown);
        QVERIFY(segment->confidence_if_unused < kCertain && !segment->users_complete);
    }
    QCOMPARE(anyone_of(host, kOwner), Answer::not_told);
}

void TestHostSurvey::mount_options_that_cannot_be_read_may_hide_processes() {
    MadeHost host;
    QCOMPARE(anyone_of(host, kOwner), Answer::no);
    host.write("proc/self/mountinfo", "23 28 0:1 / /sys rw - sysfs sysfs rw\n");
    QCOMPARE(anyone_of(host, kOwner), Answer::not_told);
    QVERIFY(QFile::remove(host.path("proc/self/mountinfo")));
    QCOMPARE(anyone_of(host, kOwner), Answer::not_told);
}

// Its entry is listed and cannot be opened, each time.
void TestHostSurvey::a_process_that_ends_while_it_is_read_may_have_left_a_child() {
    MadeHost host;
    QCOMPARE(anyone_of(host, kOwner), Answer::no);
    QVERIFY(QFile::link("nowhere", host.path("proc/300")));
    QCOMPARE(anyone_of(host, kOwner), Answer::not_told);
    QCOMPARE(table_of(host).find_software(kOwner, set_of(Software::nccl)).answer, Answer::not_told);
}

void TestHostSurvey::a_child_of_one_that_ended_is_found() {
    MadeHost host;
    host.process(300, "parent", 50);
    host.write("proc/300/status", MadeHost::status(kOwner));
    const auto table = table_of(host);
    QVERIFY(QDir(host.path("proc/300")).removeRecursively());
    host.process(301, "child", 5);
    host.write("proc/301/status", MadeHost::status(kOwner));
    const auto found = table.anyone({{kOwner}, {}, false});
    QCOMPARE(found.answer, Answer::yes);
    QCOMPARE(found.pid, std::int64_t{301});
}

void TestHostSurvey::threads_that_were_left_out_may_act_for_anybody() {
    MadeHost host;
    host.process(300, "server", 50);
    for (const auto* thread : {"300", "301", "302"})
        QVERIFY(QDir().mkpath(host.path(QString("proc/300/task/") + thread)));
    host.write("none", "");
    for (int thread = 303; thread <= 300 + 4097; ++thread)  // links are made faster
        QVERIFY(::link(qPrintable(host.path("none")),
                       qPrintable(host.path(QString("proc/300/task/%1").arg(thread)))) == 0);
    (void)host.segment("data");
    struct stat info {};
    QVERIFY(::stat(qPrintable(host.path("proc/300/task")), &info) == 0);
    if (info.st_nlink < 4) QSKIP("directories do not count their subdirectories here");
    const auto survey = survey_host(host.options());
    QVERIFY(survey.has_value() && has_limit(*survey, "too many threads"));
    QVERIFY(!find(*survey, "data")->users_complete);
    QCOMPARE(anyone_of(host, kOwner), Answer::not_told);
}

// It may be covered by a mount.
void TestHostSurvey::a_directory_without_its_files_is_not_gone() {
    MadeHost host;
    host.process(300, "server", 50);
    for (const auto* name : {"proc/300/stat", "proc/300/status", "proc/300/maps"})
        QVERIFY(QFile::remove(host.path(name)));
    const auto table = table_of(host);
    QCOMPARE(table.find(300).life, Life::not_told);
    QCOMPARE(table.find(301).life, Life::gone);
    QCOMPARE(table.anyone({{kOwner}, {}, false}).answer, Answer::not_told);
    const auto survey = survey_host(host.options());
    QCOMPARE(survey->unreadable, std::uint64_t{1});
}

void TestHostSurvey::privileges_let_a_process_in_data() {
    QTest::addColumn<unsigned>("uid");
    QTest::addColumn<QString>("privileges");
    QTest::addColumn<QString>("user_map");
    QTest::addColumn<bool>("may");
    QTest::newRow("none") << 4404U << "0000000000000000"
                          << "" << false;
    QTest::newRow("CAP_KILL") << 4404U << "0000000000000020"
                              << "" << false;
    QTest::newRow("CAP_DAC_OVERRIDE") << 4404U << "0000000000000002"
                                      << "" << true;
    QTest::newRow("CAP_DAC_READ_SEARCH") << 4404U << "0000000000000004"
                                         << "" << true;
    QTest::newRow("CAP_IPC_OWNER") << 4404U << "0000000000008000"
                                   << "" << true;
    QTest::newRow("an administrator") << 0U << "000001ffffffffff"
                                      << "" << false;
    QTest::newRow("root of its own namespace with the owner") << 101'000U << "000001ffffffffff"
                                                              << "0 101000 1\n1 104001 999\n"
                                                              << true;
    QTest::newRow("root of its own namespace without the owner") << 101'000U << "000001ffffffffff"
                                                                 << "0 101000 1\n1 204001 999\n"
                                                                 << false;
    QTest::newRow("an administrator in a namespace with the same ids") << 0U << "000001ffffffffff"
                                                                       << "0 0 4294967295\n"
                                                                       << false;
}

void TestHostSurvey::privileges_let_a_process_in() {
    QFETCH(unsigned, uid);
    QFETCH(QString, privileges);
    QFETCH(QString, user_map);
    QFETCH(bool, may);
    MadeHost host;
    host.process(300, "program", 50);
    host.write("proc/300/status", MadeHost::status(uid, privileges));
    QVERIFY(QDir().mkpath(host.path("proc/300/ns")));
    QVERIFY(QFile::link(user_map.isEmpty() ? "user:[4026531837]" : "user:[4026532999]",
                        host.path("proc/300/ns/user")));
    for (const auto* map : {"proc/300/uid_map", "proc/300/gid_map"})
        host.write(map, user_map.isEmpty() ? "0 0 4294967295\n" : user_map);
    QCOMPARE(anyone_of(host, kOwner), may ? Answer::not_told : Answer::no);
}

void TestHostSurvey::a_thread_that_acts_for_another_user_is_let_in() {
    MadeHost host;
    host.process(300, "server", 50);
    host.write("proc/300/task/300/status", MadeHost::status(::geteuid()));
    host.write("proc/300/task/301/status", MadeHost::status(kOwner));
    QCOMPARE(anyone_of(host, kOwner), Answer::yes);
    QCOMPARE(anyone_of(host, kOwner + 1), Answer::no);
}

QTEST_GUILESS_MAIN(TestHostSurvey)
#include "tst_host_survey.moc"
