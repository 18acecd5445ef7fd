// SPDX-License-Identifier: MIT
// Whose limits count for this process, against files laid out as control groups of version 1, of
// version 2, of both, and as a container sees them.
#include <fcntl.h>
#include <unistd.h>

#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QtTest>

#include "platform/memory_limit.h"

using namespace snakepit::shm;

namespace {
constexpr std::uint64_t kMiB = 1 << 20;
}

class MemoryLimitTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void without_groups_the_host_decides();
    void version_2_counts_every_level_and_forgives_idle_pages_of_files();
    void a_high_mark_of_version_2_counts_as_a_limit();
    void version_1_counts_every_level();
    void of_both_versions_the_one_with_the_controller_counts();
    void a_containers_mount_shows_its_own_group_as_root();
    void a_path_of_the_host_in_a_container_is_looked_for_at_the_mount();
    void a_mount_elsewhere_is_found();
    void a_limit_that_cannot_be_read_is_not_known();
    void a_group_outside_our_namespace_is_not_known();
    void a_process_that_is_moved_is_noticed();
    void a_limit_that_changes_is_read_anew();
    void what_is_promised_is_not_promised_twice();
    void what_is_taken_counts_once();

  private:
    std::string root() const { return directory_->path().toStdString(); }
    void write(const QString& name, const QByteArray& text) const;
    void write_v2(const QString& group, const QByteArray& limit, std::uint64_t used) const;
    void write_v1(const QString& group, std::uint64_t limit, std::uint64_t used) const;

    std::unique_ptr<QTemporaryDir> directory_;
};

void MemoryLimitTest::write(const QString& name, const QByteArray& text) const {
    const auto path = directory_->filePath(name);
    QDir().mkpath(QFileInfo(path).path());
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(text);
}

void MemoryLimitTest::write_v2(const QString& group, const QByteArray& limit,
                               std::uint64_t used) const {
    const auto directory = "sys/fs/cgroup" + group + "/";
    write(directory + "memory.max", limit + "\n");
    write(directory + "memory.current", QByteArray::number(static_cast<qulonglong>(used)) + "\n");
    write(directory + "memory.stat", "anon 1\ninactive_file 0\n");
}

void MemoryLimitTest::write_v1(const QString& group, std::uint64_t limit,
                               std::uint64_t used) const {
    const auto directory = "sys/fs/cgroup/memory" + group + "/";
    write(directory + "memory.limit_in_bytes",
          QByteArray::number(static_cast<qulonglong>(limit)) + "\n");
    write(directory + "memory.usage_in_bytes",
          QByteArray::number(static_cast<qulonglong>(used)) + "\n");
    write(directory + "memory.stat",
          "inactive_file 77\ntotal_cache 1\ntotal_inactive_file 10485760\n");
}

void MemoryLimitTest::init() {
    directory_ = std::make_unique<QTemporaryDir>();
    write("proc/meminfo", "MemTotal: 4194304 kB\nMemFree: 1 kB\nMemAvailable: 2097152 kB\n");
    write("proc/self/cgroup", "0::/\n");
}

void MemoryLimitTest::without_groups_the_host_decides() {
    MemoryLimit limit(root());
    const auto left = limit.left();
    QCOMPARE(left.bytes, (2048 - 64) * kMiB);
    QCOMPARE(left.limited_by, std::string("the host"));
    QVERIFY(limit.check(left.bytes));
    const auto refused = limit.check(left.bytes + 1);
    QCOMPARE(refused.error().code, ErrorCode::no_space);
    QVERIFY(QString::fromStdString(refused.error().message).startsWith("the host has 1.9 GiB"));
}

void MemoryLimitTest::version_2_counts_every_level_and_forgives_idle_pages_of_files() {
    write("proc/self/cgroup", "0::/box/inner\n");
    write_v2("/box", "335544320", 200 * kMiB);
    write("sys/fs/cgroup/box/memory.stat", "anon 1\ninactive_file 104857600\n");
    write_v2("/box/inner", "max", 1);
    MemoryLimit limit(root());
    const auto left = limit.left();
    QCOMPARE(left.bytes, (320 - 100 - 10) * kMiB);
    QCOMPARE(left.limit, 320 * kMiB);
    QCOMPARE(left.limited_by, std::string("control group /box"));
    QCOMPARE(left.not_known, std::string());
    QVERIFY(limit.check(left.bytes));
    QVERIFY(!limit.check(left.bytes + 1));
}

void MemoryLimitTest::a_high_mark_of_version_2_counts_as_a_limit() {
    write("proc/self/cgroup", "0::/box\n");
    write_v2("/box", "max", 10 * kMiB);
    write("sys/fs/cgroup/box/memory.high", "134217728\n");
    QCOMPARE(MemoryLimit(root()).left().bytes, (128 - 10 - 4) * kMiB);
}

void MemoryLimitTest::version_1_counts_every_level() {
    write("proc/self/cgroup", "9:name=systemd:/other\n4:cpu,memory:/a/b\n");
    write_v1("", 9223372036854771712ULL, 900 * kMiB);
    write_v1("/a", 256 * kMiB, 100 * kMiB);
    write_v1("/a/b", 9223372036854771712ULL, kMiB);
    const auto left = MemoryLimit(root()).left();
    QCOMPARE(left.bytes, (256 - 90 - 8) * kMiB);
    QCOMPARE(left.limited_by, std::string("control group /a"));
}

void MemoryLimitTest::of_both_versions_the_one_with_the_controller_counts() {
    write("proc/self/cgroup", "4:memory:/a\n0::/user.slice/a\n");
    write("proc/self/mountinfo",
          "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
          "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    write("sys/fs/cgroup/unified/user.slice/a/cgroup.procs", "1\n");
    write_v1("/a", 64 * kMiB, 20 * kMiB);
    const auto left = MemoryLimit(root()).left();
    QCOMPARE(left.bytes, (64 - 10 - 4) * kMiB);
    QCOMPARE(left.not_known, std::string());
}

void MemoryLimitTest::a_containers_mount_shows_its_own_group_as_root() {
    write("proc/self/cgroup", "4:memory:/docker/0123/inner\n");
    write("proc/self/mountinfo",
          "35 31 0:32 /docker/0123 /sys/fs/cgroup/memory ro,nosuid shared:1 - cgroup cgroup "
          "rw,memory\n");
    write_v1("", 128 * kMiB, 30 * kMiB);
    write_v1("/inner", 9223372036854771712ULL, kMiB);
    const auto left = MemoryLimit(root()).left();
    QCOMPARE(left.bytes, (128 - 20 - 4) * kMiB);
    QCOMPARE(left.limited_by, std::string("control group /docker/0123"));
    QCOMPARE(left.not_known, std::string());
}

void MemoryLimitTest::a_path_of_the_host_in_a_container_is_looked_for_at_the_mount() {
    write("proc/self/cgroup", "0::/system.slice/docker-0123.scope\n");
    write("proc/self/mountinfo", "35 31 0:32 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
    write_v2("", "134217728", 20 * kMiB);
    const auto left = MemoryLimit(root()).left();
    QCOMPARE(left.bytes, (128 - 20 - 4) * kMiB);
    QVERIFY(!left.not_known.empty());  // those above it are not visible
}

void MemoryLimitTest::a_mount_elsewhere_is_found() {
    write("proc/self/cgroup", "0::/box\n");
    write("proc/self/mountinfo", "35 31 0:32 / /control\\040groups rw - cgroup2 cgroup rw\n");
    write("control groups/box/memory.max", "134217728\n");
    write("control groups/box/memory.current", "1048576\n");
    QCOMPARE(MemoryLimit(root()).left().bytes, (128 - 1 - 4) * kMiB);
}

void MemoryLimitTest::a_limit_that_cannot_be_read_is_not_known() {
    write("proc/self/cgroup", "0::/box\n");
    write_v2("/box", "104857600", kMiB);
    // Not even root may read a directory as a file.
    QFile::remove(directory_->filePath("sys/fs/cgroup/box/memory.max"));
    QDir().mkpath(directory_->filePath("sys/fs/cgroup/box/memory.max"));
    const auto left = MemoryLimit(root()).left();
    QCOMPARE(left.limited_by, std::string("the host"));
    QVERIFY2(left.not_known.find("/box") != std::string::npos, left.not_known.c_str());
}

void MemoryLimitTest::a_group_outside_our_namespace_is_not_known() {
    write("proc/self/cgroup", "0::/../other\n");
    write("sys/fs/cgroup/cgroup.controllers", "memory\n");
    QVERIFY(!MemoryLimit(root()).left().not_known.empty());
}

void MemoryLimitTest::a_process_that_is_moved_is_noticed() {
    write("proc/self/cgroup", "0::/wide\n");
    write_v2("/wide", "max", kMiB);
    write_v2("/tight", "67108864", 0);
    MemoryLimit limit(root());
    QCOMPARE(limit.left().limited_by, std::string("the host"));
    write("proc/self/cgroup", "0::/tight\n");
    QCOMPARE(limit.left().bytes, (64 - 4) * kMiB);
}

void MemoryLimitTest::a_limit_that_changes_is_read_anew() {
    write("proc/self/cgroup", "0::/box\n");
    write_v2("/box", "134217728", 0);
    MemoryLimit limit(root());
    QCOMPARE(limit.left().bytes, (128 - 4) * kMiB);
    write_v2("/box", "67108864", 0);
    QCOMPARE(limit.left().bytes, (64 - 4) * kMiB);
}

void MemoryLimitTest::what_is_promised_is_not_promised_twice() {
    write("proc/self/cgroup", "0::/box\n");
    write_v2("/box", "134217728", 0);  // 124 MiB are left
    MemoryLimit limit(root());
    {
        const auto first = limit.promise(100 * kMiB);
        QVERIFY(first);
        QCOMPARE(limit.left().bytes, 24 * kMiB);
        QVERIFY(!limit.promise(25 * kMiB));
        QVERIFY(limit.promise(24 * kMiB));  // and given up at once
        QVERIFY(first->check());
        write_v2("/box", "134217728", 30 * kMiB);  // somebody else took some
        QCOMPARE(first->check().error().code, ErrorCode::no_space);
    }
    QVERIFY(limit.promise(94 * kMiB));
}

void MemoryLimitTest::what_is_taken_counts_once() {
    write("proc/self/cgroup", "0::/box\n");
    write_v2("/box", "134217728", 0);
    MemoryLimit limit(root());
    auto promise = limit.promise(100 * kMiB);
    QVERIFY(promise);
    write_v2("/box", "134217728", 60 * kMiB);
    promise->taken(60 * kMiB);
    QVERIFY(promise->check());
    QCOMPARE(limit.left().bytes, 24 * kMiB);
}

QTEST_GUILESS_MAIN(MemoryLimitTest)
#include "tst_memory_limit.moc"
