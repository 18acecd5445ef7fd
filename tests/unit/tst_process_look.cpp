// SPDX-License-Identifier: MIT
// What a process maps, asked of the kernel mapping by mapping and read as text: the same.
#include <QtTest>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
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
    std::uint64_t unseen = 0;
};

Sightings look(const ProcessTable& table, std::uint64_t device, std::uint64_t memfd_device,
               bool as_text) {
    Sightings out;
    const auto tell = [&](const Process& process, const Sighting& seen) {
        if (process.pid != ::getpid()) return;
        out.told += QString::fromStdString(fmt::format(
            "{} {} {}:{} {} {} {}", static_cast<int>(seen.what), seen.maps, seen.device, seen.inode,
            path_of(table.proc(), process, seen), entry_of(process, seen), seen.reaches));
    };
    out.unseen = table.look({device}, {memfd_device}, tell, as_text);
    return out;
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
            std::string stat;
            do {
                std::getline(std::ifstream("/proc/self/stat"), stat);
            } while (stat.find(") Z ") == std::string::npos);
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

}  // namespace

class TestProcessLook : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void asking_and_reading_tell_the_same();
    void who_goes_on_without_a_first_thread_is_looked_at();
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
    const auto asked = look(*table, device, memfd_device, false);
    const auto read = look(*table, device, memfd_device, true);
    QCOMPARE(asked.told, read.told);
    QCOMPARE(asked.unseen, read.unseen);
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
        table->look(
            {device_of(file.get())}, {},
            [&](const Process& process, const Sighting& seen) {
                // It inherits what other tests map.
                if (process.pid == child && seen.inode == info.st_ino)
                    ++(seen.maps ? mapped : open);
            },
            as_text);
        QCOMPARE(mapped, 1);
        QCOMPARE(open, 1);
        QVERIFY(table->find(child).life == Life::lives);
    }
}

QTEST_GUILESS_MAIN(TestProcessLook)
#include "tst_process_look.moc"
