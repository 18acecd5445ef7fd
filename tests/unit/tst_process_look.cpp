// SPDX-License-Identifier: MIT
// What a process maps, asked of the kernel mapping by mapping and read as text: the same.
#include <QProcess>
#include <QtTest>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <fstream>
#include <string>
#include <thread>

#include <fmt/format.h>

#include "base/handle.h"
#include "survey/linux/map_query.h"
#include "survey/linux/process_table.h"

using namespace snakepit::shm;
using namespace snakepit::shm::survey;

namespace {

constexpr std::size_t kSize = 8192;

std::uint64_t device_of(int file) {
    struct stat info {};
    return ::fstat(file, &info) == 0 ? info.st_dev : 0;
}

struct Sightings {
    QStringList told;  // of this process, all that is known of each
    LookResult result;
};

Sightings look(const ProcessTable& table, std::uint64_t device, std::uint64_t memfd_device,
               bool as_text) {
    Sightings out;
    const auto tell = [&](const Process& process, const Sighting& seen) {
        if (process.pid != ::getpid()) return;
        const auto told = QString::fromStdString(fmt::format(
            "{} {} {}:{} {} {} {}", static_cast<int>(seen.what), seen.maps, seen.device, seen.inode,
            path_of(table.proc(), process, seen), entry_of(process, seen), seen.reaches));
        // A process is read as text, from the beginning, when the kernel did not answer a question.
        if (!out.told.contains(told)) out.told += told;
    };
    out.result = table.look(
        {.devices = {device}, .memfd_devices = {memfd_device}, .as_text = as_text}, tell);
    return out;
}

void wait_for_end_of_first_thread() {
    std::string stat;
    do {
        std::getline(std::ifstream("/proc/self/stat"), stat);
    } while (stat.find(") Z ") == std::string::npos);
}

// A process that maps the file and goes on in another thread than its first. Its number, once the
// first one has ended.
pid_t without_first_thread(const Handle& file) {
    std::array<int, 2> ended{};
    if (::pipe(ended.data()) != 0) return -1;
    const auto child = ::fork();
    if (child == 0) {
        ::mmap(nullptr, kSize, PROT_READ, MAP_SHARED, file.get(), 0);
        std::thread([&ended] {
            wait_for_end_of_first_thread();
            if (::write(ended[1], "Z", 1) != 1) ::_exit(1);
            for (;;) ::pause();
        }).detach();
        ::syscall(SYS_exit, 0);  // the thread, and not the process
    }
    char letter = 0;
    ::close(ended[1]);
    const bool told = ::read(ended[0], &letter, 1) == 1;
    ::close(ended[0]);
    return told ? child : -1;
}

// As containers do: kcmp() is refused to this thread.
void forbid_to_compare() {
    std::array<sock_filter, 4> filter{
        sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_kcmp, 0, 1),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog program{filter.size(), filter.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        qFatal("cannot forbid kcmp()");
}

}  // namespace

class TestProcessLook : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void asking_and_reading_tell_the_same();
    void who_goes_on_without_a_first_thread_is_looked_at();
    void a_table_of_a_thread_is_looked_at_data();
    void a_table_of_a_thread_is_looked_at();
    void software_is_told_by_what_runs();
    void who_may_not_be_looked_at_is_named();
};

void TestProcessLook::asking_and_reading_tell_the_same() {
    const Handle own(::open("/proc/self/maps", O_RDONLY | O_CLOEXEC));
    MapQuery first{.flags = kCoveringOrNext};
    if (!query_map(own.get(), first)) QSKIP("before Linux 6.11 there is only the text");

    const auto prefix = fmt::format("/dev/shm/look_{}_", ::getpid());
    const auto make = [&](const char* name) {
        const auto path = prefix + name;
        Handle file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        if (!file || ::ftruncate(file.get(), kSize) != 0) qFatal("cannot make a segment");
        return file;
    };
    const auto map = [](int file, int flags, off_t offset) {
        const auto size = kSize - static_cast<std::size_t>(offset);
        auto* const at = ::mmap(nullptr, size, PROT_READ, flags, file, offset);
        if (at == MAP_FAILED) qFatal("cannot map");
    };
    const auto shared = make("a b"), partly = make("c\nd"), gone = make("gone");
    const Handle memory(::memfd_create("look\nhere", MFD_CLOEXEC));
    QVERIFY(memory && ::ftruncate(memory.get(), kSize) == 0);
    map(shared.get(), MAP_SHARED, 0);
    map(partly.get(), MAP_PRIVATE, 4096);
    map(gone.get(), MAP_SHARED, 0);
    map(memory.get(), MAP_SHARED, 0);
    map(-1, MAP_SHARED | MAP_ANONYMOUS, 0);
    for (const char* name : {"a b", "c\nd", "gone"}) ::unlink((prefix + name).c_str());
    const int id = ::shmget(IPC_PRIVATE, kSize, IPC_CREAT | 0600);
    auto* const attached = ::shmat(id, nullptr, 0);
    ::shmctl(id, IPC_RMID, nullptr);
    QVERIFY(attached != reinterpret_cast<void*>(-1));

    const auto table = ProcessTable::read("/proc", now());
    QVERIFY(table.has_value());
    const auto device = device_of(shared.get()), memfd_device = device_of(memory.get());
    auto asked = look(*table, device, memfd_device, false);
    auto read = look(*table, device, memfd_device, true);
    // Where the kernel is too busy to answer, what was seen until then is told again as it is read.
    for (int i = 0; i < 10 && asked.told != read.told; ++i) {
        asked = look(*table, device, memfd_device, false);
        read = look(*table, device, memfd_device, true);
    }
    if (asked.told != read.told) qWarning() << asked.told << read.told;
    QCOMPARE(asked.told, read.told);
    QCOMPARE(asked.result.unreadable.count, read.result.unreadable.count);
    // Mapped by us without a file: one, and it takes nothing yet.
    const auto mine = [](const LookResult& result) {
        int count = 0;
        for (const auto& [inode, piece] : result.anonymous)
            if (std::count(piece.pids.begin(), piece.pids.end(), ::getpid()) > 0) ++count;
        return count;
    };
    QCOMPARE(mine(asked.result), 1);
    QCOMPARE(mine(read.result), 1);
    QCOMPARE(asked.told.filter("map_files").size(), 5);
    QCOMPARE(asked.told.filter("/fd/").size(), 4);
    for (const char* part : {"a b (deleted)", "c\\012d (deleted)", "gone (deleted)",
                             "/memfd:look\\012here (deleted)", "/SYSV00000000 (deleted)"})
        QVERIFY2(!asked.told.filter("map_files").filter(part).isEmpty(), part);
}

void TestProcessLook::who_goes_on_without_a_first_thread_is_looked_at() {
    const auto path = fmt::format("/dev/shm/look_{}_thread", ::getpid());
    const Handle file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ::unlink(path.c_str());
    QVERIFY(file && ::ftruncate(file.get(), kSize) == 0);
    const auto child = without_first_thread(file);
    QVERIFY(child > 0);
    const auto ended = qScopeGuard([child] {
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
    });
    struct stat info {};
    QCOMPARE(::fstat(file.get(), &info), 0);
    for (const bool as_text : {false, true}) {
        const auto table = ProcessTable::read("/proc", now());
        QVERIFY(table.has_value());
        int mapped = 0, open = 0;
        table->look({.devices = {device_of(file.get())}, .as_text = as_text},
                    [&](const Process& process, const Sighting& seen) {
                        // It inherits what other tests map.
                        if (process.pid == child && seen.inode == info.st_ino)
                            ++(seen.maps ? mapped : open);
                    });
        // A thread that goes on without its process's first one is listed by itself too.
        QVERIFY(mapped >= 1 && open >= 1);
        QVERIFY(table->find(child).life == Life::lives);
    }
}

void TestProcessLook::a_table_of_a_thread_is_looked_at_data() {
    QTest::addColumn<bool>("may_compare");
    QTest::addColumn<bool>("first_ends");
    QTest::newRow("where the kernel compares tables") << true << false;
    QTest::newRow("where each has to be read") << false << false;
    QTest::newRow("of a process whose first thread has ended") << true << true;
}

// The memory is open in one thread of three only, and another one shares the process's table.
void TestProcessLook::a_table_of_a_thread_is_looked_at() {
    QFETCH(bool, may_compare);
    QFETCH(bool, first_ends);
    std::array<int, 2> ready{};
    QVERIFY(::pipe2(ready.data(), O_CLOEXEC) == 0);
    const auto child = ::fork();
    if (child == 0) {
        std::thread([] {
            for (;;) ::pause();
        }).detach();
        std::thread([&ready, first_ends] {
            if (first_ends) wait_for_end_of_first_thread();
            const bool alone = ::unshare(CLONE_FILES) == 0;
            const Handle memory(::memfd_create("of a thread", MFD_CLOEXEC));
            struct stat info {};
            (void)::fstat(memory.get(), &info);
            if (!alone || ::write(ready[1], &info, sizeof info) != sizeof info) ::_exit(1);
            for (;;) ::pause();
        }).detach();
        if (first_ends) ::syscall(SYS_exit, 0);
        for (;;) ::pause();
    }
    const auto ended = qScopeGuard([child] {
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
    });
    ::close(ready[1]);
    struct stat info {};
    QCOMPARE(::read(ready[0], &info, sizeof info), ssize_t{sizeof info});
    ::close(ready[0]);
    std::atomic<int> seen_open = 0;
    // On a thread, that what is forbidden ends with it.
    std::thread([&] {
        if (!may_compare) forbid_to_compare();
        const auto table = ProcessTable::read("/proc", now());
        table->look({.memfd_devices = {info.st_dev}},
                    [&](const Process& process, const Sighting& seen) {
                        if (process.pid != child || seen.inode != info.st_ino) return;
                        struct stat again {};
                        const auto entry = entry_of(process, seen);
                        if (::fstatat(table->proc(), entry.c_str(), &again, 0) == 0 &&
                            again.st_ino == info.st_ino)
                            ++seen_open;
                    });
    }).join();
    QVERIFY(seen_open.load() >= 1);
}

void TestProcessLook::software_is_told_by_what_runs() {
    QProcess python;
    python.start("/usr/bin/python3", {"-c", "import sys; print('r', flush=True); sys.stdin.read()",
                                      "multiprocessing.resource_tracker"});
    if (!python.waitForStarted()) QSKIP("there is no Python");
    QVERIFY(python.waitForReadyRead());
    const auto table = ProcessTable::read("/proc", now());
    QVERIFY(table.has_value());
    QVERIFY(!table->software_of(python.processId()));
    for (const bool as_text : {false, true}) {
        table->look({.as_text = as_text}, [](const Process&, const Sighting&) {});
        const auto software = table->software_of(python.processId()).value_or(0);
        QVERIFY((software & set_of(Software::python)) != 0);
        QVERIFY((software & set_of(Software::python_tracker)) != 0);
        QCOMPARE(table->software_of(::getpid()).value_or(1) & set_of(Software::python), 0U);
    }
    python.closeWriteChannel();
    QVERIFY(python.waitForFinished());
}

// As a user without processes: everybody else's, of which the first three are named.
void TestProcessLook::who_may_not_be_looked_at_is_named() {
    if (::geteuid() != 0) QSKIP("needs root, to become another user");
    std::array<int, 2> ends{};
    QVERIFY(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const auto child = ::fork();
    if (child == 0) {
        if (::setresgid(4242, 4242, 4242) != 0 || ::setresuid(4242, 4242, 4242) != 0) ::_exit(1);
        const auto table = ProcessTable::read("/proc", now());
        const auto result = table->look({}, [](const Process&, const Sighting&) {});
        const std::array<std::uint64_t, 3> told{result.unreadable.count,
                                                result.unreadable.pids.size(),
                                                table->software_of(1) ? 1U : 0U};
        ::_exit(::write(ends[1], told.data(), sizeof told) == sizeof told ? 0 : 1);
    }
    std::array<std::uint64_t, 3> told{};
    ::close(ends[1]);
    const auto got = ::read(ends[0], told.data(), sizeof told);
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    QCOMPARE(got, ssize_t{sizeof told});
    QVERIFY(told[0] > 0);
    QCOMPARE(quint64(told[1]), std::min<quint64>(told[0], 3));
    QCOMPARE(quint64(told[2]), quint64(0));
}

QTEST_GUILESS_MAIN(TestProcessLook)
#include "tst_process_look.moc"
