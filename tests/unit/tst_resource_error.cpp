// SPDX-License-Identifier: MIT
// One number of the system stands for several limits: each is met, and has its own remedy.
#include <QTemporaryDir>
#include <QtTest>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <fstream>
#include <functional>
#include <string>

#include "base/handle.h"
#include "platform/mapped_file.h"
#include "platform/replace_file.h"
#include "platform/resource_error.h"
#include "platform/run_command.h"

using namespace snakepit::shm;

namespace {

constexpr std::size_t kPage = 4096;

// What `work` says in a process of its own, which may spoil its limits.
QString in_a_child(const std::function<std::string()>& work) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
    const auto child = ::fork();
    if (child == 0) {
        const auto text = work();
        ::_exit(::write(ends[1], text.data(), text.size()) < 0 ? 1 : 0);
    }
    ::close(ends[1]);
    std::array<char, 4096> text{};
    const auto got = ::read(ends[0], text.data(), text.size());
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    return QString::fromUtf8(text.data(), std::max<qsizetype>(got, 0));
}

void limit(decltype(RLIMIT_AS) what, rlim_t most) {
    const rlimit limits{most, most};
    (void)::setrlimit(what, &limits);
}

bool become_another() {
    return ::setresgid(4242, 4242, 4242) == 0 && ::setresuid(4242, 4242, 4242) == 0;
}

std::string map(std::size_t size) {
    const Handle file(::memfd_create("limits", MFD_CLOEXEC));
    if (!file || ::ftruncate(file.get(), static_cast<off_t>(size)) != 0) return "no memory";
    const auto mapped = Mapping::map(file, size, Mapping::Access::read_write);
    return mapped ? "mapped" : mapped.error().sentence();
}

}  // namespace

class ResourceError : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void too_many_mappings();
    void too_little_address_space();
    void too_much_locked_memory();
    void too_many_processes();
    void a_file_that_is_too_large();
    void no_inodes_and_no_bytes_data();
    void no_inodes_and_no_bytes();
};

void ResourceError::too_many_mappings() {
    std::size_t most = 0;
    std::ifstream("/proc/sys/vm/max_map_count") >> most;
    if (most == 0 || most > 2'000'000) QSKIP("vm.max_map_count is large here");
    const auto said = in_a_child([most]() -> std::string {
        // Every second page may be read, so that no two are one mapping.
        const std::size_t pages = most + 100;
        auto* const at = static_cast<char*>(::mmap(
            nullptr, pages * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
        for (std::size_t i = 0; i < pages; i += 2)
            if (::mprotect(at + i * kPage, kPage, PROT_READ) != 0) break;
        // Shared ones are not joined either.
        while (::mmap(nullptr, kPage, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
            continue;
        return map(kPage);
    });
    QVERIFY2(said.contains("raise vm.max_map_count"), qPrintable(said));
}

void ResourceError::too_little_address_space() {
    const auto said = in_a_child([] {
        limit(RLIMIT_AS, rlim_t{1} << 30);
        return map(std::size_t{2} << 30);
    });
    QVERIFY2(said.contains("limited to 1 GiB") && said.contains("ulimit -v"), qPrintable(said));
}

void ResourceError::too_much_locked_memory() {
    if (::geteuid() != 0) QSKIP("needs root, to become another user");
    const auto said = in_a_child([]() -> std::string {
        limit(RLIMIT_MEMLOCK, 64 * kPage);
        if (!become_another() || ::mlockall(MCL_FUTURE) != 0) return "cannot lock";
        return map(256 * kPage);
    });
    QVERIFY2(said.contains("ulimit -l"), qPrintable(said));
}

void ResourceError::too_many_processes() {
    if (::geteuid() != 0) QSKIP("needs root, to become another user");
    const auto said = in_a_child([]() -> std::string {
        limit(RLIMIT_NPROC, 0);
        if (!become_another()) return "cannot become another";
        const std::atomic<bool> cancelled = false;
        Command command;
        command.words = {"/bin/true"};
        command.timeout_ms = 10'000;
        const auto done = run_command(command, cancelled);
        return done ? "ran" : done.error().sentence();
    });
    QVERIFY2(said.contains("ulimit -u") && said.contains("pids.max"), qPrintable(said));
}

void ResourceError::a_file_that_is_too_large() {
    const QTemporaryDir directory;
    const auto path = directory.filePath("file").toStdString();
    const auto said = in_a_child([&]() -> std::string {
        limit(RLIMIT_FSIZE, kPage);
        ::signal(SIGXFSZ, SIG_IGN);
        const Handle file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        const std::vector<std::byte> bytes(3 * kPage);
        const auto done = write_through(file, path, bytes);
        return done ? "written" : done.error().sentence();
    });
    QVERIFY2(said.contains("ulimit -f"), qPrintable(said));
}

void ResourceError::no_inodes_and_no_bytes_data() {
    QTest::addColumn<QByteArray>("options");
    QTest::addColumn<QString>("message");
    QTest::addColumn<QString>("remedy");
    QTest::newRow("inodes") << QByteArray("nr_inodes=2,size=1m") << "has 0 of 2 inodes free"
                            << "remove files there";
    QTest::newRow("bytes") << QByteArray("nr_inodes=9,size=4k") << "has 0 B free of 4 KiB"
                           << "'snakepit-shm host' shows what uses it";
}

void ResourceError::no_inodes_and_no_bytes() {
    QFETCH(QByteArray, options);
    QFETCH(QString, message);
    QFETCH(QString, remedy);
    const QTemporaryDir directory;
    const auto at = directory.path().toStdString();
    const auto said = in_a_child([&]() -> std::string {
        if (::unshare(CLONE_NEWNS) != 0 ||
            ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("limits", at.c_str(), "tmpfs", 0, options.constData()) != 0)
            return "cannot mount";
        for (int i = 0; i < 9; ++i) {
            bool created = false;
            auto file =
                MappedFile::open_or_create(at + "/" + std::to_string(i), {kPage, kPage}, created);
            const auto reserved = file ? file->reserve(0, kPage) : Status(fail(file.error()));
            if (!reserved) return reserved.error().sentence();
        }
        return "there is room";
    });
    if (said == "cannot mount") QSKIP("needs the right to mount a file system");
    QVERIFY2(said.contains(message), qPrintable(said));
    QVERIFY2(said.contains(remedy), qPrintable(said));
}

QTEST_GUILESS_MAIN(ResourceError)
#include "tst_resource_error.moc"
