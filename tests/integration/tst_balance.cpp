// SPDX-License-Identifier: MIT
// What the system counts as shared memory against what a survey finds, to the byte: in mount, IPC
// and pid namespaces of the test's own, with memory in every place that a survey may miss.
#include <QtTest>

#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "memory_plants.h"
#include "survey/host_survey.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

namespace {

bool namespaces_are_ours = false;

// Bytes used in file systems of memory that are mounted here.
std::uint64_t used_here() {
    std::map<std::uint64_t, std::uint64_t> used;
    std::ifstream file("/proc/self/mountinfo");
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string skipped, point, type;
        words >> skipped >> skipped >> skipped >> skipped >> point;
        std::istringstream(line.substr(line.find(" - ") + 3)) >> type;
        struct statfs space {};
        struct stat info {};
        if ((type != "tmpfs" && type != "devtmpfs") || ::statfs(point.c_str(), &space) != 0 ||
            ::stat(point.c_str(), &info) != 0)
            continue;
        used[info.st_dev] = (space.f_blocks - space.f_bfree) * kPage;
    }
    std::uint64_t sum = 0;
    for (const auto& [device, bytes] : used) sum += bytes;
    return sum;
}

HostSurvey surveyed(bool quick = false) {
    SurveyOptions options;
    options.quick = quick;
    auto out = survey_host(options);
    if (!out) qFatal("%s", out.error().sentence().c_str());
    return std::move(*out);
}

bool says(const std::vector<std::string>& notes, const char* what) {
    return std::any_of(notes.begin(), notes.end(),
                       [&](const auto& note) { return note.find(what) != note.npos; });
}

QByteArray all_of(const MemoryBalance& balance) {
    QByteArray out = "listed " + QByteArray::number(quint64(balance.listed)) + ":";
    for (const auto& note : balance.notes) out += "\n" + QByteArray::fromStdString(note);
    for (const auto& place : balance.places)
        out += "\n" + QByteArray::fromStdString(
                          fmt::format("{} {} {}", place.path, place.used, place.listed));
    return out;
}

const MemoryPlace* place_at(const MemoryBalance& balance, const std::string& path) {
    const auto found = std::find_if(balance.places.begin(), balance.places.end(),
                                    [&](const MemoryPlace& place) { return place.path == path; });
    return found == balance.places.end() ? nullptr : &*found;
}

// What the system counts, in place of the whole host's.
class MadeCounts {
  public:
    explicit MadeCounts(const std::string& lines) {
        std::ofstream(kFile) << "MemTotal: 1 kB\n" << lines;
        must(::mount(kFile, "/proc/meminfo", nullptr, MS_BIND, nullptr) == 0, "mount");
    }
    ~MadeCounts() {
        ::umount2("/proc/meminfo", MNT_DETACH);
        ::unlink(kFile);
    }

  private:
    static constexpr const char* kFile = "/var/tmp/balance_meminfo";
};

}  // namespace

class Balance : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() {
        if (!namespaces_are_ours) QSKIP("needs root, for namespaces of its own");
    }
    void each_place_is_listed_or_told_of_data();
    void each_place_is_listed_or_told_of();
    void all_of_it_at_once_is_explained_to_the_byte();
    void what_costs_more_is_left_out_when_asked();
    void limits_of_files_and_of_system_v_are_told();
    void what_was_given_back_meanwhile_is_told_as_it_is();
    void swap_is_told();
    void who_may_not_be_looked_at_is_named();
};

void Balance::each_place_is_listed_or_told_of_data() {
    QTest::addColumn<int>("row");
    for (std::size_t i = 0; i < plant_rows().size(); ++i)
        QTest::newRow(plant_rows()[i].what) << static_cast<int>(i);
}

void Balance::each_place_is_listed_or_told_of() {
    QFETCH(int, row);
    const auto before = surveyed();
    const auto plant = plant_rows()[static_cast<std::size_t>(row)].plant();
    const auto undo = qScopeGuard([&] { plant.undo(); });
    if (plant.listed + plant.hidden == 0) QSKIP("the kernel does not allow it");
    const auto after = surveyed();
    const auto& balance = after.balance;
    QVERIFY2(balance.listed - before.balance.listed == plant.listed,
             "before: " + all_of(before.balance) + "\nafter: " + all_of(balance));
    if (plant.note) QVERIFY2(says(balance.notes, plant.note), all_of(balance));
    if (plant.segment)
        QVERIFY(std::any_of(after.segments.begin(), after.segments.end(), [&](const auto& segment) {
            return segment.name.find(plant.segment) != std::string::npos;
        }));
}

void Balance::all_of_it_at_once_is_explained_to_the_byte() {
    std::vector<Plant> plants;
    const auto undo = qScopeGuard([&] {
        for (const auto& plant : plants) plant.undo();
    });
    const auto elsewhere = used_here();
    std::uint64_t expected = elsewhere, hidden = 0;
    for (const auto& row : plant_rows()) {
        plants.push_back(row.plant());
        expected += plants.back().listed + plants.back().hidden;
        hidden += plants.back().hidden;
    }
    const MadeCounts counts(fmt::format("Shmem: {} kB\n", expected / 1024));
    const auto found = surveyed();
    const auto& balance = found.balance;
    QCOMPARE(quint64(balance.shmem), quint64(expected));
    if (balance.unlisted() != static_cast<std::int64_t>(hidden))
        for (const auto& segment : found.segments)
            qWarning() << segment.name.c_str() << segment.resident;
    QVERIFY2(balance.unlisted() == static_cast<std::int64_t>(hidden), all_of(balance));
    for (const auto& plant : plants)
        if (plant.note) QVERIFY2(says(balance.notes, plant.note), plant.note);
    const auto* own = place_at(balance, "/dev/shm");
    QVERIFY(own);
    QCOMPARE(quint64(own->used - own->listed), quint64(kPage));  // the link
    const auto* other = place_at(balance, "/tmp/balance other");
    QVERIFY(other);
    QCOMPARE(quint64(other->used), quint64(9 * kPage));
    QCOMPARE(quint64(other->listed), quint64(0));
}

void Balance::what_costs_more_is_left_out_when_asked() {
    const auto plant = memory_in_a_socket();
    QVERIFY(says(surveyed().balance.notes, plant.note));
    QVERIFY(!says(surveyed(true).balance.notes, plant.note));
    plant.undo();
    QVERIFY(!says(surveyed().balance.notes, plant.note));
}

void Balance::limits_of_files_and_of_system_v_are_told() {
    const auto plant = table_segments();
    const auto survey = surveyed();
    plant.undo();
    std::uint64_t most = 0;
    std::ifstream("/proc/sys/kernel/shmmni") >> most;
    QCOMPARE(quint64(survey.system_v.segments), quint64(3));
    QCOMPARE(quint64(survey.system_v.most_segments), quint64(most));
    QCOMPARE(quint64(survey.system_v.bytes), quint64(69 * kPage));
    QVERIFY(survey.system_v.most_bytes >= survey.system_v.bytes);
    const auto* own = place_at(survey.balance, "/dev/shm");
    QVERIFY(own);
    struct statfs space {};
    QCOMPARE(::statfs("/dev/shm", &space), 0);
    QCOMPARE(quint64(own->files_total), quint64(space.f_files));
    QCOMPARE(quint64(own->files_free), quint64(space.f_ffree));
    QCOMPARE(quint64(own->total), quint64(space.f_blocks * kPage));
}

void Balance::what_was_given_back_meanwhile_is_told_as_it_is() {
    const auto plant = memory_without_a_name();
    const MadeCounts counts("Shmem: 4 kB\n");
    const auto balance = surveyed().balance;
    plant.undo();
    QCOMPARE(quint64(balance.shmem), quint64(4096));
    QCOMPARE(qint64(balance.unlisted()), 4096 - qint64(balance.listed));
    QVERIFY(balance.unlisted() < 0);
    // Nothing is missing, so nothing may hide it.
    QVERIFY2(!says(balance.notes, "container's view"), all_of(balance));
}

void Balance::swap_is_told() {
    const MadeCounts counts("SwapTotal: 100 kB\nSwapFree: 94 kB\nShmem: 4 kB\n");
    const auto balance = surveyed().balance;
    QVERIFY2(says(balance.notes, "6 KiB are in swap"), all_of(balance));
}

void Balance::who_may_not_be_looked_at_is_named() {
    std::array<int, 2> ends{};
    must(::pipe2(ends.data(), O_CLOEXEC) == 0, "pipe");
    const auto child = child_that([&] {
        must(::setresgid(4242, 4242, 4242) == 0 && ::setresuid(4242, 4242, 4242) == 0, "setuid");
        auto* const at = ::mmap(nullptr, 3 * kPage, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        must(at != MAP_FAILED, "mmap");
        const auto told = surveyed();
        std::string text;
        for (const auto* sentences : {&told.limits, &told.balance.notes})
            for (const auto& sentence : *sentences) text += sentence + "\n";
        must(::write(ends[1], text.data(), text.size()) > 0, "write");
    });
    const auto ended = qScopeGuard([child] { end(child); });
    std::array<char, 8192> text{};
    const auto got = ::read(ends[0], text.data(), text.size());
    ::close(ends[0]);
    ::close(ends[1]);
    const QByteArray said(text.data(), std::max<qsizetype>(got, 0));
    QVERIFY2(
        said.contains("1 process could not be inspected, so its segments may show as unused: 1 "
                      "(tst_balance)."),
        said);
    QVERIFY2(said.contains("12 KiB of anonymous shared memory is the size that is mapped"), said);
}

// What the host has mounted at /dev/shm changes while we look, and would be counted.
bool make_namespaces() {
    // Newer kernels number namespaces by processor, and let a mount keep only those of a higher
    // number than the mount's own.
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(::sched_getcpu(), &one);
    ::sched_setaffinity(0, sizeof one, &one);
    if (::geteuid() != 0 || ::unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID) != 0) return false;
    const auto child = ::fork();
    must(child >= 0, "fork");
    if (child != 0) {
        int status = 0;
        ::waitpid(child, &status, 0);
        std::_Exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "private");
    must(::mount("proc", "/proc", "proc", 0, nullptr) == 0, "proc");
    while (::umount2("/dev/shm", MNT_DETACH) == 0) continue;
    must(::mount("balance", "/dev/shm", "tmpfs", 0, "mode=1777,size=64m,nr_inodes=5000") == 0,
         "tmpfs");
    return true;
}

int main(int argc, char** argv) {
    namespaces_are_ours = make_namespaces();
    QCoreApplication app(argc, argv);
    Balance test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_balance.moc"
