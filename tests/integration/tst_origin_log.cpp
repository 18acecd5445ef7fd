// SPDX-License-Identifier: MIT
// What the origin log records, with the kernel's own events.
#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <QtTest>

#include <csignal>

#include "origin_fixture.h"
#include "paused.h"
#include "survey/linux/file_events.h"
#include "survey/linux/proc_files.h"
#include "survey/linux/scan.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

namespace {

bool own_mounts = false;

void make(const QString& path) {
    const int file = ::open(qPrintable(path), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) ::_exit(1);
    ::close(file);
}

void open_and_close(const QString& path) {
    ::close(::open(qPrintable(path), O_RDONLY | O_CLOEXEC));
}

// CapPrm of a process.
QByteArray privileges_of(qint64 pid) {
    QFile file(QString("/proc/%1/status").arg(pid));
    if (!file.open(QIODevice::ReadOnly)) return {};
    for (const auto& line : file.readAll().split('\n'))
        if (line.startsWith("CapPrm:")) return line.mid(7).trimmed();
    return {};
}

}  // namespace

class OriginLogTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void cleanupTestCase();
    void init();
    void who_made_a_file_is_known_after_its_end();
    void everyone_who_opened_it_is_known();
    void programs_of_ours_do_not_count_as_users_data();
    void programs_of_ours_do_not_count_as_users();
    void names_that_it_got_later_are_known();
    void what_was_there_before_has_no_maker();
    void a_restart_is_a_gap();
    void a_full_queue_is_a_gap();
    void a_full_disk_is_a_gap_and_not_the_end();
    void a_clock_that_is_set_changes_nothing();
    void a_process_that_ends_at_once_is_known_or_a_gap();
    void a_table_tells_who_made_and_attached_a_segment();
    void a_container_is_watched_from_outside();
    void only_root_can_read_it();
    void it_has_three_capabilities_and_says_which_are_missing();
    void command_lines_are_recorded_only_when_wanted_and_without_values();
    void a_database_of_nonsense_is_set_aside();

  private:
    QString path(const QString& name) const { return place_ + "/" + name; }

    QTemporaryDir directory_;
    QString place_;  // of segments
    std::unique_ptr<OriginLogProgram> log_;
};

void OriginLogTest::initTestCase() {
    if (!own_mounts) QSKIP("needs root, and a mount namespace of its own");
    place_ = directory_.filePath("shm");
    QVERIFY(mount_memory(place_));
}

void OriginLogTest::cleanupTestCase() {
    log_.reset();
    for (const auto& name : {place_, directory_.filePath("disk")})
        ::umount2(qPrintable(name), MNT_DETACH);
}

void OriginLogTest::init() {
    log_ = std::make_unique<OriginLogProgram>(QStringList{"--shm-path", place_, "--only"});
    QVERIFY2(log_->start(), qPrintable(log_->said()));
}

void OriginLogTest::who_made_a_file_is_known_after_its_end() {
    for (const int signal : {SIGKILL, 0}) {
        const auto name = path(QString("made_%1").arg(signal));
        Maker maker([&] { make(name); });
        const auto pid = maker.pid();
        const auto living = log_->origin_of(name);
        QVERIFY(living && living->maker && living->whole);
        QCOMPARE(living->maker->pid, pid);
        QCOMPARE(living->maker->uid, 0U);
        QCOMPARE(living->maker->program, std::string("tst_origin_log"));
        QVERIFY(living->maker->executable.ends_with("/tst_origin_log"));
        QVERIFY(living->maker->command.empty());
        QVERIFY(living->maker->started > 0);
        QCOMPARE(living->maker->pid_namespace, survey::namespace_of(AT_FDCWD, "/proc/self/ns/pid"));
        QVERIFY(living->openers.empty());
        QCOMPARE(living->maker->ended.micros, 0);
        maker.end(signal);
        QVERIFY(becomes_true([&] {
            const auto ended = log_->origin_of(name);
            return ended && ended->maker && ended->maker->ended.micros != 0;
        }));
        const auto ended = log_->origin_of(name);
        QVERIFY(ended->whole);
        // Older kernels do not tell it, and then it is not claimed.
        if (ended->maker->status) QCOMPARE(*ended->maker->status, signal != 0 ? signal : 7 << 8);
    }
}

void OriginLogTest::everyone_who_opened_it_is_known() {
    const auto name = path("shared");
    Maker maker([&] { make(name); });
    Maker one([&] {
        for (int i = 0; i < 100; ++i) open_and_close(name);
    });
    Maker other([&] { open_and_close(name); });
    const auto origin = log_->origin_of(name);
    QVERIFY(origin && origin->whole);
    QCOMPARE(origin->openers.size(), std::size_t{2});
    std::vector<std::int64_t> pids{origin->openers[0].pid, origin->openers[1].pid};
    std::sort(pids.begin(), pids.end());
    std::vector<std::int64_t> wanted{one.pid(), other.pid()};
    std::sort(wanted.begin(), wanted.end());
    QCOMPARE(pids, wanted);
}

void OriginLogTest::programs_of_ours_do_not_count_as_users_data() {
    QTest::addColumn<QString>("program");
    QTest::addColumn<int>("owner");
    QTest::addColumn<int>("mode");
    QTest::addColumn<int>("users");
    QTest::newRow("installed anywhere") << "snakepit-shm" << 0 << 0755 << 0;
    QTest::newRow("another of them") << "snakepit-shm-monitor" << 0 << 0755 << 0;
    QTest::newRow("a name is anybody's") << "snakepit-shm" << 1234 << 0755 << 1;
    QTest::newRow("anybody may have written it") << "snakepit-shm" << 0 << 0777 << 1;
    QTest::newRow("another program") << "snakepit" << 0 << 0755 << 1;
}

// `host clean` opens what it asks the kernel about.
void OriginLogTest::programs_of_ours_do_not_count_as_users() {
    QFETCH(QString, program);
    QFETCH(int, owner);
    QFETCH(int, mode);
    QFETCH(int, users);
    const auto name = path("looked_at");
    Maker maker([&] {
        const int file = ::open(qPrintable(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (::write(file, "x", 1) != 1) ::_exit(1);
    });
    const QTemporaryDir place;
    const auto copy = place.filePath(program);
    QVERIFY(QFile::copy("/bin/cat", copy));
    QVERIFY(::chown(qPrintable(copy), static_cast<uid_t>(owner), 0) == 0);
    QVERIFY(::chmod(qPrintable(copy), static_cast<mode_t>(mode)) == 0);
    QProcess reader;
    reader.start(copy, {name, "-"});
    QVERIFY(reader.waitForReadyRead(60'000));
    const auto origin = log_->origin_of(name);
    reader.closeWriteChannel();
    QVERIFY(reader.waitForFinished(60'000));
    QVERIFY(QFile::remove(name));
    QVERIFY(origin);
    QVERIFY2(origin->whole, origin->gap.c_str());
    QCOMPARE(origin->openers.size(), static_cast<std::size_t>(users));
}

void OriginLogTest::names_that_it_got_later_are_known() {
    Maker maker([&] {
        make(path("first"));
        make(path("second"));
        make(path("third"));
        make(path("own"));
        ::rename(qPrintable(path("own")), qPrintable(path("own.final")));
    });
    Maker other([&] {
        ::rename(qPrintable(path("first")), qPrintable(path("first.kept")));
        if (::link(qPrintable(path("second")), qPrintable(path("second.kept"))) != 0) ::_exit(1);
    });
    // As semaphores are made, under another name first.
    Maker linker([&] {
        make(path("temporary"));
        if (::link(qPrintable(path("temporary")), qPrintable(path("linked"))) != 0) ::_exit(1);
        ::unlink(qPrintable(path("temporary")));
        open_and_close(path("linked"));
    });
    QVERIFY(!log_->origin_of(path("own.final"))->renamed);
    const auto linked = log_->origin_of(path("linked"));
    QVERIFY(linked && linked->whole && !linked->renamed);
    QCOMPARE(linked->maker->pid, linker.pid());
    QVERIFY(log_->origin_of(path("first.kept"))->renamed);
    QVERIFY(log_->origin_of(path("second"))->renamed);
    QVERIFY(!log_->origin_of(path("third"))->renamed);
    // Another file with the same name is another segment.
    ::unlink(qPrintable(path("third")));
    Maker again([&] { make(path("third")); });
    QCOMPARE(log_->origin_of(path("third"))->maker->pid, again.pid());
}

void OriginLogTest::what_was_there_before_has_no_maker() {
    log_->end();
    make(path("earlier"));
    QVERIFY(log_->start());
    Maker one([&] { open_and_close(path("earlier")); });
    const auto origin = log_->origin_of(path("earlier"));
    QVERIFY(origin);
    QVERIFY(!origin->maker && !origin->whole);
    QCOMPARE(origin->openers.size(), std::size_t{1});
}

void OriginLogTest::a_restart_is_a_gap() {
    const auto name = path("restarted");
    Maker maker([&] { make(name); });
    QVERIFY(log_->origin_of(name)->whole);
    QCOMPARE(log_->end(SIGKILL), -SIGKILL);
    // Nobody records now.
    QVERIFY(!log_->origin_of(name)->whole);
    QVERIFY(log_->start());
    const auto origin = log_->origin_of(name);
    QVERIFY(origin && origin->maker);
    QCOMPARE(origin->maker->pid, maker.pid());
    QVERIFY(!origin->whole);
    QVERIFY(origin->gap.find("restarted") != std::string::npos);
    Maker later([&] { make(path("later")); });
    QVERIFY(log_->origin_of(path("later"))->whole);
}

void OriginLogTest::a_full_queue_is_a_gap() {
    QFile limit("/proc/sys/fs/fanotify/max_queued_events");
    const auto most = limit.open(QIODevice::ReadOnly) ? limit.readAll().trimmed().toInt() : 16'384;
    const auto before = path("before_the_flood");
    Maker maker([&] { make(before); });
    QVERIFY(log_->origin_of(before)->whole);
    QVERIFY(pause_process(log_->pid()));
    Maker flood([&] {
        const auto name = path("flood");
        for (int i = 0; i < most + 100; ++i) {
            make(name);
            ::unlink(qPrintable(name));
        }
    });
    ::kill(static_cast<pid_t>(log_->pid()), SIGCONT);
    QVERIFY(becomes_true([&] { return !log_->origin_of(before)->whole; }));
    QVERIFY(log_->origin_of(before)->gap.find("more happened") != std::string::npos);
    QCOMPARE(log_->origin_of(before)->maker->pid, maker.pid());
    Maker later([&] { make(path("after_the_flood")); });
    QVERIFY(becomes_true([&] {
        const auto origin = log_->origin_of(path("after_the_flood"));
        return origin && origin->whole;
    }));
}

void OriginLogTest::a_full_disk_is_a_gap_and_not_the_end() {
    const auto disk = directory_.filePath("disk");
    QVERIFY(mount_memory(disk, "size=1m,mode=0700"));
    log_->keep_in(disk);
    QVERIFY(log_->start());
    const auto name = path("before_it_was_full");
    Maker maker([&] { make(name); });
    QVERIFY(log_->origin_of(name)->whole);
    QFile filler(disk + "/filler");
    QVERIFY(filler.open(QIODevice::WriteOnly | QIODevice::Unbuffered));
    while (filler.write(QByteArray(4096, 'x')) == 4096) {
    }
    Maker meanwhile([&] {
        for (int i = 0; i < 500; ++i) make(path(QString("meanwhile_%1").arg(i)));
    });
    QVERIFY(becomes_true([&] { return !log_->said().isEmpty(); }));
    meanwhile.end();  // it inherited the file
    QVERIFY(filler.remove());
    Maker later([&] { make(path("after_it_was_full")); });
    QVERIFY(becomes_true([&] {
        ::unlink(qPrintable(path("again")));
        Maker again([&] { make(path("again")); });
        const auto origin = log_->origin_of(path("again"));
        return origin && origin->whole;
    }));
    const auto origin = log_->origin_of(name);
    QVERIFY(!origin || !origin->whole);
    QCOMPARE(log_->end(), 0);
}

void OriginLogTest::a_clock_that_is_set_changes_nothing() {
    QTemporaryDir directory;
    const auto shim = directory.filePath("clocks");
    const auto set = [&](qint64 wall) {
        const std::array<qint64, 2> clocks{wall * 1'000'000, 0};
        QFile file(shim);
        if (!file.open(QIODevice::ReadWrite)) return;
        file.write(reinterpret_cast<const char*>(clocks.data()), sizeof clocks);
    };
    set(0);
    QProcessEnvironment clocks;
    clocks.insert("LD_PRELOAD", SNAKEPIT_CLOCK_SHIM);
    clocks.insert("CLOCK_SHIM", shim);
    QVERIFY(log_->start(clocks));
    int number = 0;
    for (const qint64 step : {0, 86'400, -86'400}) {
        set(step);
        const auto name = path(QString("stepped_%1").arg(++number));
        Maker maker([&] { make(name); });
        const auto origin = log_->origin_of(name);
        QVERIFY(origin && origin->whole);
        QCOMPARE(origin->maker->pid, maker.pid());
    }
    for (int i = 1; i <= number; ++i)
        QVERIFY(log_->origin_of(path(QString("stepped_%1").arg(i)))->whole);
}

void OriginLogTest::a_process_that_ends_at_once_is_known_or_a_gap() {
    for (int i = 0; i < 15; ++i) {
        const auto name = path(QString("brief_%1").arg(i));
        const auto pid = ::fork();
        if (pid == 0) {
            make(name);
            ::_exit(0);
        }
        ::waitpid(pid, nullptr, 0);
        const auto origin = log_->origin_of(name);
        QVERIFY(origin);
        if (origin->maker)
            QCOMPARE(origin->maker->pid, std::int64_t{pid});
        else
            QVERIFY(!origin->whole && origin->gap.find("maker") != std::string::npos);
    }
}

void OriginLogTest::a_table_tells_who_made_and_attached_a_segment() {
    Maker maker([&] {
        if (::shmget(0x5a5a0001, 4096, IPC_CREAT | IPC_EXCL | 0600) < 0) ::_exit(1);
    });
    const auto id = ::shmget(0x5a5a0001, 0, 0);
    QVERIFY(id >= 0);
    const auto identity = [&]() -> survey::SegmentIdentity {
        const auto text = survey::read_file(AT_FDCWD, "/proc/sysvipc/shm").value_or("");
        for (const auto& row : survey::parse_system_v(text, 2 << 20))
            if (row.inode == static_cast<std::uint64_t>(id))
                return {SegmentKind::system_v, survey::namespace_of(AT_FDCWD, "/proc/self/ns/ipc"),
                        survey::table_identity(row.inode, row.creator.pid, row.created)};
        return {};
    };
    const auto made = log_->find(identity(), place_);
    QVERIFY(made && made->maker);
    QCOMPARE(made->maker->pid, maker.pid());
    QVERIFY(made->whole);
    Maker user([&] {
        if (::shmat(id, nullptr, 0) == reinterpret_cast<void*>(-1)) ::_exit(1);
    });
    QVERIFY(becomes_true([&] {
        const auto used = log_->find(identity(), place_);
        return used && used->openers.size() == 1 && used->openers.front().pid == user.pid();
    }));
    ::shmctl(id, IPC_RMID, nullptr);
}

// With a file system, users, processes and a table of its own.
void OriginLogTest::a_container_is_watched_from_outside() {
    log_ = std::make_unique<OriginLogProgram>(QStringList{"--shm-path", place_});
    QVERIFY(log_->start());
    QProcess container;
    container.start("unshare", {"-Urpfmi", "--kill-child", "sh", "-c",
                                "mount -t tmpfs none /dev/shm; ipcmk -M 4096 > /dev/null; "
                                "while :; do n=$((n+1)); : > /dev/shm/made_$n; sleep 0.1; done"});
    if (!container.waitForStarted(60'000)) QSKIP("needs unshare");
    qint64 inside = 0;
    const bool begun = becomes_true([&] {
        QFile children(QString("/proc/%1/task/%1/children").arg(container.processId()));
        if (children.open(QIODevice::ReadOnly)) inside = children.readAll().trimmed().toLongLong();
        return inside > 0 || container.waitForFinished(0);
    });
    QVERIFY2(begun && inside > 0, container.readAllStandardError().constData());
    const auto shm = QString("/proc/%1/root/dev/shm").arg(inside);
    std::optional<survey::Origin> origin;
    const bool found = becomes_true([&] {
        for (const auto& name : QDir(shm).entryList({"made_*"}, QDir::Files)) {
            origin = log_->origin_of(shm + "/" + name);
            if (origin && origin->whole) return true;
        }
        return false;
    });
    const auto pids =
        survey::namespace_of(AT_FDCWD, qPrintable(QString("/proc/%1/ns/pid").arg(inside)));
    container.kill();
    QVERIFY(container.waitForFinished(60'000));
    QVERIFY(found);
    QCOMPARE(origin->maker->pid, inside);
    QCOMPARE(origin->maker->pid_namespace, pids);
    QVERIFY(pids != survey::namespace_of(AT_FDCWD, "/proc/self/ns/pid"));
}

void OriginLogTest::only_root_can_read_it() {
    Maker maker([&] { make(path("private")); });
    QVERIFY(log_->origin_of(path("private")));
    for (const auto& name : QDir(log_->directory()).entryList(QDir::Files)) {
        struct stat info {};
        QVERIFY(::stat(qPrintable(log_->directory() + "/" + name), &info) == 0);
        QVERIFY2((info.st_mode & 077) == 0, qPrintable(name));
    }
    const auto pid = ::fork();
    if (pid == 0) {
        if (::setresuid(65'534, 65'534, 65'534) != 0) ::_exit(2);
        ::_exit(origins::OriginReader::open(log_->database()) ? 1 : 0);
    }
    int status = -1;
    QCOMPARE(::waitpid(pid, &status, 0), pid);
    QCOMPARE(status, 0);
}

void OriginLogTest::it_has_three_capabilities_and_says_which_are_missing() {
    const quint64 wanted = 1ULL << 21 | 1ULL << 19 | 1ULL << 2;
    QCOMPARE(privileges_of(log_->pid()).toULongLong(nullptr, 16), wanted);
    QProcess bare;
    bare.start("setpriv", {"--bounding-set=-sys_admin,-sys_ptrace",
                           QStringLiteral(SNAKEPIT_BIN_DIR) + "/snakepit-shm-origins"});
    QVERIFY(bare.waitForFinished(60'000));
    QCOMPARE(bare.exitCode(), 4);
    const auto said = bare.readAllStandardError();
    QVERIFY2(said.contains("CAP_SYS_ADMIN, CAP_SYS_PTRACE"), said.constData());
    QVERIFY(!said.contains("CAP_DAC_READ_SEARCH"));
}

void OriginLogTest::command_lines_are_recorded_only_when_wanted_and_without_values() {
    QTemporaryDir directory;
    const auto configured = [&](const char* value) {
        QFile file(directory.filePath("config.toml"));
        if (!file.open(QIODevice::WriteOnly)) return QProcessEnvironment();
        file.write(QByteArray("[shared_memory]\nhost_origins = \"") + value + "\"\n");
        QProcessEnvironment out;
        out.insert("SNAKEPIT_SHM_CONFIG", file.fileName());
        return out;
    };
    QVERIFY(log_->start(configured("commands")));
    QProcess python;
    python.start(
        "/usr/bin/python3",
        {"-c", "import sys; open(sys.argv[1], 'w'); print('made', flush=True); sys.stdin.read()",
         path("by_command"), "--token=hunter2", "-phunter2", "hunter2"});
    QVERIFY(python.waitForReadyRead(60'000));
    const auto origin = log_->origin_of(path("by_command"));
    python.kill();
    python.waitForFinished();
    QVERIFY(origin && origin->maker);
    const auto& command = origin->maker->command;
    QVERIFY2(command.starts_with("/usr/bin/python3 -c "), command.c_str());
    QVERIFY2(command.find("--token=[redacted]") != command.npos, command.c_str());
    QVERIFY2(command.find("hunter2") == command.npos, command.c_str());

    OriginLogProgram off({"--shm-path", place_, "--only"});
    QVERIFY(!off.start(configured("off")));
    QVERIFY(off.said().contains("host_origins"));
    QCOMPARE(off.end(), 0);
}

void OriginLogTest::a_database_of_nonsense_is_set_aside() {
    log_->end();
    QFile file(QString::fromStdString(log_->database()));
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(QByteArray(8192, 'n'));
    file.close();
    QVERIFY(log_->start());
    Maker maker([&] { make(path("after_nonsense")); });
    QVERIFY(log_->origin_of(path("after_nonsense"))->whole);
    QCOMPARE(QDir(log_->directory()).entryList({"origins.db.corrupt-*"}).isEmpty(), false);
}

int main(int count, char** words) {
    own_mounts = enter_own_mounts();
    OriginLogTest test;
    return QTest::qExec(&test, count, words);
}

#include "tst_origin_log.moc"
