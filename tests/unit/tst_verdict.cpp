// SPDX-License-Identifier: MIT
// What is thought of a segment: from facts to evidence, and from evidence to a verdict.
#include <QtTest>

#include <functional>
#include <optional>
#include <random>

#include "made_processes.h"
#include "survey/verdict.h"

using namespace snakepit::shm;
using namespace snakepit::shm::survey;
using namespace snakepit::shm::test;

namespace {

constexpr std::int64_t kPostgres = 60, kPython = 61;
constexpr std::int64_t kBootNow = 1'000'000 * kSecond;

// A segment that nobody uses, made and used an hour ago, of a user without processes.
HostSegment idle(SegmentKind kind, const char* label) {
    HostSegment out;
    out.kind = kind;
    out.name = out.label = label;
    out.names = {label};
    out.links = kind == SegmentKind::posix ? 1 : 0;
    out.uid = out.creator_uid = kUser;
    out.mode = 0600;
    out.created = out.touched = {kNow.micros - 3600 * kSecond};
    return out;
}

HostSegment system_v(std::int64_t creator, std::int64_t last_user, std::int64_t key = 0) {
    auto out = idle(SegmentKind::system_v, "sysv:5");
    out.creator.pid = creator;
    out.creator.known_by = SegmentCreator::KnownBy::kernel;
    out.last_user = last_user;
    out.key = key;
    return out;
}

bool says(const HostSegment& segment, std::string_view text) {
    return std::any_of(segment.evidence.begin(), segment.evidence.end(),
                       [text](const auto& one) { return one.find(text) != one.npos; });
}

void used_ago(HostSegment& segment, std::int64_t seconds) {
    segment.touched = {kNow.micros - seconds * kSecond};
}

// Worth a look: named to whoever cleans, and removed only by name.
bool is_probable(const HostSegment& segment) {
    return segment.verdict == SegmentVerdict::left_over && segment.confidence_if_unused >= 85 &&
           segment.confidence < kCertain;
}

bool is_certain(const HostSegment& segment) {
    return segment.verdict == SegmentVerdict::left_over && segment.confidence >= kCertain;
}

}  // namespace

using Change = std::function<void(Origin&, HostSegment&, MadeSystem&)>;
Q_DECLARE_METATYPE(Change)

class TestVerdict : public QObject {
    Q_OBJECT

  private:
    HostSegment judged(HostSegment segment) {
        Setting setting{.now = kNow,
                        .processes = processes_,
                        .system = system_,
                        .instances = instances_,
                        .complete = complete_,
                        .outermost = outermost_,
                        .all_listed = !processes_.hidden,
                        .stepped = stepped_};
        setting.busy_creators = busy_creators_;
        setting.mounted = mounted_;
        setting.boot_now = kBootNow;
        judge(segment, setting, origin_ ? &*origin_ : nullptr);
        return segment;
    }
    // Of a file that a process of Python, and another one, used to the end.
    static Origin recorded() {
        Origin out;
        out.maker = RecordedProcess{.pid = kPython,
                                    .started = 4,
                                    .uid = kUser,
                                    .program = "train.py",
                                    .executable = "/usr/bin/python3.11",
                                    .cgroup = "/system.slice/web.service",
                                    .cgroup_id = 7,
                                    .ended = {kNow.micros - 3600 * kSecond}};
        out.openers.push_back(*out.maker);
        out.openers.front().pid = kPython + 1;
        out.made = {kNow.micros - 7200 * kSecond};
        out.last_event_boot = kBootNow - 3600 * kSecond;
        out.whole = true;
        return out;
    }
    void add(std::int64_t pid, const char* name, std::uint32_t uid = kUser,
             SoftwareSet software = 0) {
        processes_.all.push_back({pid, name, software, uid, 0, true});
    }
    MadeProcesses processes_;
    MadeSystem system_;
    Instances instances_;
    std::unordered_set<std::int64_t> busy_creators_;
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> mounted_;
    std::optional<Origin> origin_;
    bool complete_ = true, outermost_ = true, stepped_ = false;

  private Q_SLOTS:
    void init() {
        processes_ = {};
        system_ = {};
        add(1, "init", 0, set_of(Software::system_service));
        instances_.clear();
        busy_creators_.clear();
        mounted_.clear();
        origin_.reset();
        complete_ = outermost_ = true;
        stepped_ = false;
    }
    void what_is_private_and_known_to_nobody_is_certain();
    void a_name_alone_is_never_certain();
    void whoever_may_use_it_may_know_it_data();
    void whoever_may_use_it_may_know_it();
    void a_creator_that_runs_or_cannot_be_seen_decides();
    void a_container_s_number_counts();
    void others_that_used_it_lately_may_come_back();
    void a_sibling_in_use_tells_of_its_program();
    void one_with_a_key_is_never_certain();
    void what_was_used_lately_is_never_certain();
    void a_clock_that_was_set_leaves_no_certainty();
    void another_namespace_or_a_container_s_view_is_never_certain();
    void programs_are_asked_for_by_what_runs();
    void python_is_judged_by_its_resource_tracker();
    void a_name_that_is_used_again_is_never_certain();
    void what_is_meant_to_stay_is_kept();
    void a_number_in_an_unknown_name_may_be_its_creator_s();
    void an_unknown_file_is_left_alone();
    void a_registry_that_cannot_be_seen_is_not_gone();
    void more_names_than_were_found_leave_no_certainty();
    void a_recorded_history_proves_what_is_recorded_to_the_end();
    void each_gap_in_a_history_leaves_no_certainty_data();
    void each_gap_in_a_history_leaves_no_certainty();
    void who_is_recorded_and_runs_keeps_it();
    void another_name_leaves_no_certainty();
    void root_may_have_made_it_for_its_owner();
    void a_program_of_root_may_know_the_id_of_a_segment();
    void what_ids_do_not_tell_is_not_known();
    void what_the_kernel_may_use_is_not_unused();
    void a_recorded_use_is_not_called_the_last();
    void what_is_mounted_by_itself_is_not_removed_unasked();
    void certainty_needs_every_reason();
};

void TestVerdict::what_is_private_and_known_to_nobody_is_certain() {
    QVERIFY(is_certain(judged(system_v(77, 77))));
}

// A person can type each of them.
void TestVerdict::a_name_alone_is_never_certain() {
    for (const auto& segment : {idle(SegmentKind::posix, "torch_4711_1234_0"),
                                idle(SegmentKind::posix, "PostgreSQL.1234567890"),
                                idle(SegmentKind::posix, "psm_0a1b2c3d"),
                                idle(SegmentKind::posix, "__KMP_REGISTERED_LIB_4711_1234")}) {
        const auto out = judged(segment);
        QVERIFY2(is_probable(out), segment.name.c_str());
        QVERIFY(out.confidence_if_unused < kCertain);
    }
}

void TestVerdict::whoever_may_use_it_may_know_it_data() {
    QTest::addColumn<int>("uid");
    QTest::addColumn<int>("mode");
    QTest::addColumn<bool>("acl");
    QTest::addColumn<bool>("certain");
    QTest::newRow("its owner's process") << int(kUser) << 0600 << false << false;
    QTest::newRow("another's process") << 99 << 0600 << false << true;
    QTest::newRow("everybody may") << 99 << 0604 << false << false;
    QTest::newRow("everybody may write") << 99 << 0602 << false << false;
    QTest::newRow("an access list") << 99 << 0600 << true << false;
}

void TestVerdict::whoever_may_use_it_may_know_it() {
    QFETCH(int, uid);
    QFETCH(int, mode);
    QFETCH(bool, acl);
    QFETCH(bool, certain);
    add(50, "someone", static_cast<std::uint32_t>(uid));
    for (auto segment : {system_v(77, 77), idle(SegmentKind::posix, "torch_4711_1234_0")}) {
        segment.mode = static_cast<std::uint32_t>(mode);
        segment.has_acl = acl;
        const auto out = judged(segment);
        QCOMPARE(out.verdict, SegmentVerdict::left_over);
        QCOMPARE(is_certain(out), certain && segment.kind == SegmentKind::system_v);
    }
}

void TestVerdict::a_creator_that_runs_or_cannot_be_seen_decides() {
    add(77, "maker", 99);
    for (const auto& segment : {system_v(77, 77), idle(SegmentKind::posix, "torch_77_1_0")}) {
        const auto out = judged(segment);
        QCOMPARE(out.verdict, SegmentVerdict::unknown);
        QVERIFY(out.creator_may_live);
    }
    processes_.all.back().readable = false;
    for (const auto& segment : {system_v(77, 77), idle(SegmentKind::posix, "torch_77_1_0")}) {
        const auto out = judged(segment);
        QCOMPARE(out.verdict, SegmentVerdict::unknown);
        QVERIFY(out.creator_may_live);
        QCOMPARE(out.creator.life, Life::not_told);
    }
    processes_.all.pop_back();
    processes_.hidden = true;
    QCOMPARE(judged(system_v(77, 77)).creator.life, Life::not_told);
    QCOMPARE(judged(system_v(77, 77)).verdict, SegmentVerdict::unknown);
}

void TestVerdict::a_container_s_number_counts() {
    processes_.all.push_back({3000, "python3", 0, 99, 31, true});
    const auto out = judged(idle(SegmentKind::posix, "torch_31_1_0"));
    QCOMPARE(out.verdict, SegmentVerdict::unknown);
    QCOMPARE(out.creator.life, Life::lives);
    // The kernel's numbers are of our own namespace.
    QCOMPARE(judged(system_v(31, 31)).verdict, SegmentVerdict::left_over);
}

void TestVerdict::others_that_used_it_lately_may_come_back() {
    add(50, "daemon");
    auto segment = system_v(77, 78);
    used_ago(segment, 3);
    auto out = judged(segment);
    QCOMPARE(out.verdict, SegmentVerdict::unknown);
    QVERIFY(out.creator_may_live);
    used_ago(segment, 7200);
    out = judged(segment);
    QCOMPARE(out.verdict, SegmentVerdict::unknown);  // the daemon may be one that knows its id
    QVERIFY(!out.creator_may_live);
    processes_.all.pop_back();
    out = judged(segment);
    QCOMPARE(out.verdict, SegmentVerdict::left_over);
    QVERIFY(out.confidence < kCertain);
    add(78, "worker");
    QCOMPARE(judged(segment).verdict, SegmentVerdict::unknown);
    QVERIFY(judged(segment).creator_may_live);
}

void TestVerdict::a_sibling_in_use_tells_of_its_program() {
    busy_creators_ = {77};
    QCOMPARE(judged(system_v(77, 77)).verdict, SegmentVerdict::unknown);
    QVERIFY(judged(system_v(77, 77)).creator_may_live);
    QVERIFY(is_certain(judged(system_v(76, 76))));
    QCOMPARE(judged(idle(SegmentKind::posix, "torch_77_1_0")).verdict, SegmentVerdict::unknown);
}

void TestVerdict::one_with_a_key_is_never_certain() {
    const auto out = judged(system_v(77, 77, 5));
    QCOMPARE(out.verdict, SegmentVerdict::left_over);
    QVERIFY(out.confidence < kCertain);
}

void TestVerdict::what_was_used_lately_is_never_certain() {
    auto segment = system_v(77, 77);
    for (const auto seconds : {0, 30, 61, 500}) {
        used_ago(segment, seconds);
        QVERIFY(!is_certain(judged(segment)));
    }
    used_ago(segment, 601);
    QVERIFY(is_certain(judged(segment)));
}

void TestVerdict::a_clock_that_was_set_leaves_no_certainty() {
    stepped_ = true;
    QVERIFY(!is_certain(judged(system_v(77, 77))));
    QVERIFY(!is_certain(judged(idle(SegmentKind::posix, "torch_4711_1234_0"))));
}

void TestVerdict::another_namespace_or_a_container_s_view_is_never_certain() {
    auto segment = system_v(77, 77);
    segment.name_space = 4026532178;
    QCOMPARE(judged(segment).verdict, SegmentVerdict::left_over);
    QVERIFY(!is_certain(judged(segment)));
    outermost_ = false;
    QVERIFY(!is_certain(judged(system_v(77, 77))));
    outermost_ = true;
    complete_ = false;
    const auto out = judged(idle(SegmentKind::posix, "PostgreSQL.1234567890"));
    QVERIFY(!is_certain(out));
    QVERIFY(out.confidence_if_unused > out.confidence);  // the kernel may yet say the rest
    QVERIFY(!out.users_complete);
}

void TestVerdict::programs_are_asked_for_by_what_runs() {
    const auto segment = idle(SegmentKind::posix, "PostgreSQL.1234567890");
    add(kPostgres, "renamed", kUser, set_of(Software::postgresql));
    const auto out = judged(segment);
    QCOMPARE(out.verdict, SegmentVerdict::kept);
    QVERIFY(out.creator_may_live);
    processes_.all.back() = {kPostgres, "postgres", 0, kUser, 0, true};  // only called so
    QCOMPARE(judged(segment).verdict, SegmentVerdict::left_over);
    processes_.all.back().readable = false;
    QCOMPARE(judged(segment).verdict, SegmentVerdict::unknown);
}

void TestVerdict::python_is_judged_by_its_resource_tracker() {
    const auto segment = idle(SegmentKind::posix, "psm_0a1b2c3d");
    QVERIFY(is_probable(judged(segment)));
    add(kPython, "renamed", kUser, set_of(Software::python));
    auto out = judged(segment);
    QCOMPARE(out.verdict, SegmentVerdict::left_over);
    QVERIFY(out.confidence < kCertain && out.confidence >= 75);
    add(kPython + 1, "python3", kUser, set_of(Software::python) | set_of(Software::python_tracker));
    QCOMPARE(judged(segment).verdict, SegmentVerdict::unknown);
}

void TestVerdict::a_name_that_is_used_again_is_never_certain() {
    for (const auto* name : {"iceoryx_mgmt", "fastrtps_port7411", "ora_ORCL_4711_1"}) {
        const auto out = judged(idle(SegmentKind::posix, name));
        QCOMPARE(out.verdict, SegmentVerdict::left_over);
        QVERIFY2(out.confidence < kCertain, name);
    }
}

void TestVerdict::what_is_meant_to_stay_is_kept() {
    for (const auto* name : {"libpod_lock", "libpod_rootless_lock_1234", "jack-shm-registry"})
        QCOMPARE(judged(idle(SegmentKind::posix, name)).verdict, SegmentVerdict::kept);
}

void TestVerdict::a_number_in_an_unknown_name_may_be_its_creator_s() {
    const auto segment = idle(SegmentKind::posix, "my-engine-4711.ring");
    QVERIFY(!judged(segment).creator_may_live);
    add(4711, "engine");
    const auto out = judged(segment);
    QCOMPARE(out.verdict, SegmentVerdict::unknown);
    QVERIFY(out.creator_may_live);
}

void TestVerdict::an_unknown_file_is_left_alone() {
    auto segment = idle(SegmentKind::posix, "data.bin");
    QCOMPARE(judged(segment).verdict, SegmentVerdict::unknown);
    segment.created = {1};
    used_ago(segment, 90'000);
    auto out = judged(segment);
    QCOMPARE(out.verdict, SegmentVerdict::left_over);
    QVERIFY(out.confidence < kCertain);
    // Whoever reads it each day may do so without a record.
    segment.mode = 0644;
    QCOMPARE(judged(segment).verdict, SegmentVerdict::unknown);
    segment.mode = 0600;
    add(50, "shell");
    QCOMPARE(judged(segment).verdict, SegmentVerdict::unknown);
}

void TestVerdict::a_registry_that_cannot_be_seen_is_not_gone() {
    const auto segment = idle(SegmentKind::posix, "snakepit_blue_arena_0123456789abcdef");
    const auto told = [](const HostSegment& out) {
        std::string all;
        for (const auto& sentence : out.evidence) all += sentence + ' ';
        return QString::fromStdString(all);
    };
    instances_["blue"] = {Registry::State::not_seen, {}};
    auto out = judged(segment);
    QCOMPARE(out.verdict, SegmentVerdict::ours);
    QVERIFY(!out.users_complete);
    QVERIFY2(told(out).contains("not accessible here"), qPrintable(told(out)));
    instances_["blue"] = {Registry::State::gone, "/run/blue/registry"};
    out = judged(segment);
    QVERIFY2(told(out).contains("no longer exists"), qPrintable(told(out)));
    QVERIFY(out.advice.find("SNAKEPIT_SHM_RUNTIME_DIR=/run/blue ") != std::string::npos);
    instances_["blue"] = {Registry::State::managed, {}};
    QVERIFY(judged(segment).confidence >= kCertain);
}

void TestVerdict::more_names_than_were_found_leave_no_certainty() {
    auto segment = idle(SegmentKind::posix, "torch_4711_1234_0");
    segment.links = 2;
    QVERIFY(!is_certain(judged(segment)));
}

// Somebody may have given it that to keep it.
void TestVerdict::another_name_leaves_no_certainty() {
    auto segment = idle(SegmentKind::posix, "psm_0a1b2c3d");
    segment.links = 2;
    segment.names = {"psm_0a1b2c3d", "results"};
    const auto out = judged(segment);
    QVERIFY(!is_certain(out));
    QCOMPARE(out.program, std::string("Python multiprocessing"));
    segment.names = {"psm_0a1b2c3d", "psm_0fffffff"};
    QVERIFY(is_probable(judged(segment)));
}

void TestVerdict::root_may_have_made_it_for_its_owner() {
    const auto segment = idle(SegmentKind::posix, "psm_0a1b2c3d");
    add(50, "python3", 0, set_of(Software::python));
    const auto out = judged(segment);
    QVERIFY(!is_certain(out));
    QCOMPARE(out.verdict, SegmentVerdict::left_over);
    QVERIFY(is_probable(judged(idle(SegmentKind::posix, "PostgreSQL.1234567890"))));
}

// Whatever it is: an id can be passed on.
void TestVerdict::a_program_of_root_may_know_the_id_of_a_segment() {
    QVERIFY(is_certain(judged(system_v(77, 77))));
    add(50, "engine", 0);
    const auto out = judged(system_v(77, 77));
    QCOMPARE(out.verdict, SegmentVerdict::left_over);
    QVERIFY(!is_certain(out));
    QVERIFY2(says(out, "process 50 (engine)"), "the program is named");
    processes_.all.back().software = set_of(Software::system_service);
    QVERIFY(is_certain(judged(system_v(77, 77))));
}

void TestVerdict::what_ids_do_not_tell_is_not_known() {
    QVERIFY(is_certain(judged(system_v(77, 77))));
    system_.later = "/etc/subuid gives id 1234 to alice";
    QVERIFY(!is_certain(judged(system_v(77, 77))));
    QVERIFY(says(judged(system_v(77, 77)), "gives id 1234 to alice"));
    system_.later.clear();
    system_.ids = "the mount at /mnt shows it with other ids";
    QVERIFY(is_certain(judged(system_v(77, 77))));  // it is not a file
    auto file = idle(SegmentKind::posix, "data.bin");
    file.created = {1};
    used_ago(file, 90'000);
    QCOMPARE(judged(file).verdict, SegmentVerdict::unknown);
    QVERIFY(says(judged(file), "the mount at /mnt"));
}

void TestVerdict::what_the_kernel_may_use_is_not_unused() {
    auto segment = idle(SegmentKind::posix, "torch_4711_1234_0");
    QVERIFY(judged(segment).users_complete);
    system_.kernel = "the file of loop7 could not be determined";
    const auto out = judged(segment);
    QVERIFY(!out.users_complete && out.confidence < out.confidence_if_unused);
    QVERIFY(says(out, "loop7"));
}

// A file may be read, and used through a mapping, without a record.
void TestVerdict::a_recorded_use_is_not_called_the_last() {
    const auto file = judged(idle(SegmentKind::posix, "data"));
    QVERIFY(says(file, "not every use is recorded") && !says(file, "last used"));
    QVERIFY(says(judged(system_v(77, 77)), "last attached, detached or changed"));
}

void TestVerdict::what_is_mounted_by_itself_is_not_removed_unasked() {
    auto segment = idle(SegmentKind::posix, "psm_0a1b2c3d");
    segment.device = 7;
    segment.inode = 8;
    mounted_ = {{{7, 8}, "/mnt"}};
    const auto out = judged(segment);
    QVERIFY(!is_certain(out));
    QVERIFY(out.creator_may_live);
}

// Whatever else is so.
void TestVerdict::certainty_needs_every_reason() {
    std::mt19937 random(1);  // NOLINT(cert-msc*): the same each time
    const auto choose = [&](auto most) {
        return std::uniform_int_distribution<int>(0, static_cast<int>(most))(random);
    };
    int certain = 0;
    for (int round = 0; round < 300'000; ++round) {
        Evidence e;
        e.use = static_cast<Use>(choose(2));
        e.ours = choose(9) == 0 ? static_cast<Ours>(choose(4)) : Ours::no;
        e.findable = static_cast<Findable>(choose(3));
        e.creator_known = choose(1) == 0;
        e.creator = static_cast<Life>(choose(2));
        e.system_v = choose(1) == 0;
        e.habit = static_cast<Habit>(choose(Habit::unknown));
        e.program = static_cast<Answer>(choose(2));
        e.knower = static_cast<Answer>(choose(2));
        e.owner = static_cast<Answer>(choose(2));
        e.administrator = static_cast<Answer>(choose(2));
        e.age = static_cast<Age>(choose(4));
        for (auto* flag :
             {&e.name_has_living_number, &e.number_may_be_foreign, &e.has_tracker,
              &e.program_partly_seen, &e.passed_on, &e.last_user_lives, &e.sibling_used,
              &e.has_unseen_names, &e.is_mounted, &e.root_runs_program})
            *flag = choose(3) == 0;
        for (auto* flag : {&e.own_namespace, &e.outermost, &e.all_listed}) *flag = choose(3) != 0;
        const auto out = decide(e);
        QVERIFY(out.confidence <= out.confidence_if_unused);
        if (out.verdict != SegmentVerdict::left_over || out.confidence_if_unused < kCertain)
            continue;
        ++certain;
        QVERIFY(e.use != Use::used && e.ours == Ours::no && e.findable == Findable::never);
        QVERIFY(e.system_v && e.administrator == Answer::no);
        QVERIFY(e.knower == Answer::no && e.own_namespace && e.outermost && e.all_listed);
        QVERIFY(e.age == Age::settled || e.age == Age::long_ago);
        QVERIFY(!e.creator_known || e.creator == Life::gone);
        QVERIFY(!creator_may_live(e) && !e.is_mounted && !e.root_runs_program);
        QVERIFY(out.confidence < kCertain || e.use == Use::unused);
    }
    QVERIFY(certain > 0);
}

// Whoever else could know its name: other programs of the user, and root's.
void TestVerdict::a_recorded_history_proves_what_is_recorded_to_the_end() {
    origin_ = recorded();
    system_.ended = Answer::yes;
    add(70, "python3", kUser, set_of(Software::python));
    add(71, "python3", 0, set_of(Software::python));
    const auto segment = judged(idle(SegmentKind::posix, "psm_1a2b3c4d"));
    QVERIFY2(is_certain(segment), segment.evidence.back().c_str());
    QCOMPARE(segment.creator.known_by, SegmentCreator::KnownBy::origin_log);
    QCOMPARE(segment.creator.program, std::string("train.py"));
    QVERIFY(says(segment, "made by train.py (process 61 of web.service, ended "));
    QVERIFY(!segment.creator_may_live);

    // Whatever the clock was set to meanwhile.
    stepped_ = true;
    QVERIFY(is_certain(judged(idle(SegmentKind::posix, "psm_1a2b3c4d"))));
    stepped_ = false;

    // A name with its number, of no known program.
    origin_->maker->pid = 4711;
    origin_->maker->pid_namespace = kFirstPidNamespace;
    QVERIFY(is_certain(judged(idle(SegmentKind::posix, "engine.4711.data"))));
    QVERIFY(!is_certain(judged(idle(SegmentKind::posix, "engine.4712.data"))));
    QVERIFY(!is_certain(judged(idle(SegmentKind::posix, "results"))));
    // A container begins with the same numbers each time.
    origin_->maker->pid_namespace = kFirstPidNamespace - 1;
    QVERIFY(!is_certain(judged(idle(SegmentKind::posix, "engine.4711.data"))));

    auto attached = system_v(4711, 4712);
    QVERIFY(is_certain(judged(attached)));
    attached.key = 0x5e000000;
    QVERIFY(!is_certain(judged(attached)));
}

void TestVerdict::each_gap_in_a_history_leaves_no_certainty_data() {
    QTest::addColumn<Change>("change");
    const auto row = [](const char* name, Change change) { QTest::newRow(name) << change; };
    row("not watched all the time", [](Origin& origin, HostSegment&, MadeSystem&) {
        origin.whole = false;
        origin.gap = "the origin log was restarted since it was made";
    });
    row("its maker is not known", [](Origin& origin, HostSegment&, MadeSystem&) {
        origin.maker.reset();
        origin.whole = false;
    });
    row("others of the group are left",
        [](Origin&, HostSegment&, MadeSystem& system) { system.ended = Answer::no; });
    row("whether others are left is not told",
        [](Origin&, HostSegment&, MadeSystem& system) { system.ended = Answer::not_told; });
    row("it was renamed", [](Origin& origin, HostSegment&, MadeSystem&) { origin.renamed = true; });
    row("another program made it", [](Origin& origin, HostSegment&, MadeSystem&) {
        origin.maker->executable = "/usr/bin/cp";
        origin.named_by_program = Answer::no;
    });
    row("it has another name", [](Origin&, HostSegment& segment, MadeSystem&) {
        segment.names.push_back("psm_11111111");
        segment.links = 2;
    });
    row("it has a name that was not found",
        [](Origin&, HostSegment& segment, MadeSystem&) { segment.links = 2; });
    row("it was opened a minute ago", [](Origin& origin, HostSegment&, MadeSystem&) {
        origin.last_event_boot = kBootNow - 61 * kSecond;
    });
    row("it is in another namespace",
        [](Origin&, HostSegment& segment, MadeSystem&) { segment.name_space = 5; });
    row("the kernel may use it",
        [](Origin&, HostSegment&, MadeSystem& system) { system.kernel = "an overlay shows it"; });
}

void TestVerdict::each_gap_in_a_history_leaves_no_certainty() {
    QFETCH(Change, change);
    origin_ = recorded();
    system_.ended = Answer::yes;
    auto segment = idle(SegmentKind::posix, "psm_1a2b3c4d");
    QVERIFY(is_certain(judged(segment)));
    change(*origin_, segment, system_);
    QVERIFY(!is_certain(judged(segment)));
}

void TestVerdict::who_is_recorded_and_runs_keeps_it() {
    origin_ = recorded();
    system_.ended = Answer::yes;
    add(kPython + 1, "worker");
    processes_.all.back().started = 4;
    const auto used = judged(idle(SegmentKind::posix, "psm_1a2b3c4d"));
    QVERIFY(!is_certain(used) && used.creator_may_live);
    QVERIFY(says(used, "which opened it, is running"));
    // Another process that has its number now.
    processes_.all.back().started = 5;
    QVERIFY(is_certain(judged(idle(SegmentKind::posix, "psm_1a2b3c4d"))));
    add(kPython, "train.py");
    processes_.all.back().started = 4;
    const auto living = judged(idle(SegmentKind::posix, "psm_1a2b3c4d"));
    QVERIFY(!is_certain(living) && living.creator_may_live);
}

QTEST_GUILESS_MAIN(TestVerdict)
#include "tst_verdict.moc"
