// SPDX-License-Identifier: MIT
// Who may use a segment: ids of processes, of mounts, of user namespaces that start later, and of
// administrators; and what the kernel uses itself.
#include <QtTest>

#include "made_host.h"
#include "survey/linux/memory_mounts.h"
#include "survey/linux/process_table.h"
#include "survey/linux/system_facts.h"
#include "survey/linux/unseen_users.h"

using namespace snakepit::shm;
using namespace snakepit::shm::survey;
using namespace snakepit::shm::test;

namespace {

constexpr std::uint32_t kOwner = 104'304;  // nobody's id here
const QString kAll = "000001ffffffffff", kNone = "0000000000000000";

ProcessTable table_of(const MadeHost& host) {
    return std::move(ProcessTable::read(host.options().proc_path, now()).value());
}

std::map<std::uint64_t, std::string> idmapped_in(const char* text) {
    std::map<std::uint64_t, std::string> out;
    add_idmapped(text, out);
    return out;
}

}  // namespace

class TestHostIds : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_mount_with_other_ids_is_found();
    void subordinate_ids_are_read();
    void a_service_of_subordinate_ids_is_found_data();
    void a_service_of_subordinate_ids_is_found();
    void the_ids_of_containers_may_be_given_later();
    void a_user_namespace_with_the_owner_lets_in_without_privileges();
    void a_group_of_a_user_namespace_lets_in();
    void services_of_the_system_are_told_by_their_place_data();
    void services_of_the_system_are_told_by_their_place();
    void a_program_of_root_is_an_administrator_data();
    void a_program_of_root_is_an_administrator();
    void a_swap_file_is_told();
};

void TestHostIds::a_mount_with_other_ids_is_found() {
    const auto found = idmapped_in(
        "23 28 0:21 / /dev/shm rw,relatime shared:5 - tmpfs tmpfs rw\n"
        "24 28 0:22 / /srv/a\\040b rw,relatime,idmapped - tmpfs tmpfs rw\n"
        "25 28 0:23 / /srv/idmapped rw,relatime - tmpfs idmapped rw\n");
    QCOMPARE(found.size(), std::size_t{1});
    QCOMPARE(found.begin()->first, std::uint64_t{makedev(0, 22)});
    QCOMPARE(found.begin()->second, std::string("/srv/a b"));

    // Of a process whose namespaces may not be read.
    MadeHost host;
    host.process(300, "container", 50);
    host.write("proc/300/mountinfo", "24 28 0:22 / /dev/shm rw,idmapped - tmpfs tmpfs rw\n");
    const auto table = table_of(host);
    const MemoryMounts mounts;
    const SystemFacts facts(table, mounts, {});
    QVERIFY(QString::fromStdString(facts.other_ids(makedev(0, 22))).contains("/dev/shm"));
    QVERIFY(facts.other_ids(makedev(0, 21)).empty());
}

void TestHostIds::subordinate_ids_are_read() {
    const auto found = parse_subordinate_ids(
        "# a comment\nalice:100000:65536\n\nbob:165536:1\nbroken\nnobody:x:y\n", "etc/subuid");
    QCOMPARE(found.size(), std::size_t{2});
    QCOMPARE(found[0].user, std::string("alice"));
    QCOMPARE(found[0].first, 100'000U);
    QCOMPARE(found[0].count, 65'536U);
    QCOMPARE(found[1].user, std::string("bob"));
}

void TestHostIds::a_service_of_subordinate_ids_is_found_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<bool>("service");
    QTest::newRow("none") << "passwd: files sss\n" << false;
    QTest::newRow("files") << "subid: files\n" << false;
    QTest::newRow("sss") << "passwd: files\nsubid:  sss\n" << true;
    QTest::newRow("both") << "subid:\tfiles sss\n" << true;
    QTest::newRow("a comment") << "subid: files # sss\n#subid: sss\n" << false;
}

void TestHostIds::a_service_of_subordinate_ids_is_found() {
    QFETCH(QString, text);
    QFETCH(bool, service);
    QCOMPARE(has_subordinate_service(text.toStdString()), service);
}

// A file below a process's root, as newuidmap(1) reads it there.
void TestHostIds::the_ids_of_containers_may_be_given_later() {
    MadeHost host;
    host.write("root/etc/subuid", QString("alice:%1:10\n").arg(kOwner));
    host.write("root/etc/subgid", "alice:7000:10\n");
    QVERIFY(QFile::link(host.path("root"), host.path("proc/self/root")));
    const auto table = table_of(host);
    const MemoryMounts mounts;
    const SystemFacts facts(table, mounts, {});
    const auto later = [&facts](std::uint32_t user, std::vector<std::uint32_t> groups) {
        return QString::fromStdString(facts.later_ids({{user}, std::move(groups), false}));
    };
    QVERIFY2(later(kOwner, {}).contains("alice"), qPrintable(later(kOwner, {})));
    QVERIFY(later(kOwner + 9, {}).contains("subuid"));
    QVERIFY(later(kOwner + 10, {}).isEmpty());
    QVERIFY(later(1000, {}).isEmpty());
    QVERIFY(later(1000, {7009}).contains("subgid"));
    QVERIFY(later(7009, {}).isEmpty());
    QVERIFY(later(600'000, {}).contains("systemd"));
}

void TestHostIds::a_user_namespace_with_the_owner_lets_in_without_privileges() {
    MadeHost host;
    host.process(300, "program", 50);
    host.write("proc/300/status", MadeHost::status(101'000, kNone));
    host.write("proc/300/uid_map", "0 100000 65536\n");
    host.write("proc/300/gid_map", "0 100000 65536\n");
    QCOMPARE(table_of(host).anyone({{kOwner}, {}, false}).answer, Answer::not_told);
    QCOMPARE(table_of(host).anyone({{70'000}, {}, false}).answer, Answer::no);
}

void TestHostIds::a_group_of_a_user_namespace_lets_in() {
    MadeHost host;
    host.process(300, "program", 50);
    host.write("proc/300/status", MadeHost::status(101'000, kAll));
    host.write("proc/300/uid_map", "0 101000 1\n");
    host.write("proc/300/gid_map", "0 101000 1\n1 5000 1\n");
    QCOMPARE(table_of(host).anyone({{kOwner}, {5000}, false}).answer, Answer::not_told);
    QCOMPARE(table_of(host).anyone({{kOwner}, {5001}, false}).answer, Answer::no);
}

void TestHostIds::services_of_the_system_are_told_by_their_place_data() {
    QTest::addColumn<QString>("path");
    QTest::addColumn<bool>("service");
    QTest::newRow("systemd") << "/usr/lib/systemd/systemd" << true;
    QTest::newRow("after an update") << "/usr/sbin/sshd (deleted)" << true;
    QTest::newRow("an administrator's own") << "/usr/local/sbin/sshd" << false;
    QTest::newRow("at home") << "/root/sshd" << false;
    QTest::newRow("a shell") << "/usr/bin/bash" << false;
    QTest::newRow("nothing") << "" << false;
}

void TestHostIds::services_of_the_system_are_told_by_their_place() {
    QFETCH(QString, path);
    QFETCH(bool, service);
    QCOMPARE(is_system_service(path.toStdString()), service);
}

void TestHostIds::a_program_of_root_is_an_administrator_data() {
    QTest::addColumn<unsigned>("uid");
    QTest::addColumn<QString>("permitted");
    QTest::addColumn<QString>("bounding");
    QTest::addColumn<QString>("ipc");
    QTest::addColumn<QString>("executable");
    QTest::addColumn<Answer>("answer");
    const QString ours = "ipc:[4026531839]", other = "ipc:[4026532999]", engine = "/opt/engine";
    QTest::newRow("root") << 0U << kAll << kAll << ours << engine << Answer::yes;
    QTest::newRow("a service") << 0U << kAll << kAll << ours << "/usr/sbin/sshd" << Answer::no;
    QTest::newRow("another namespace") << 0U << kAll << kAll << other << engine << Answer::no;
    QTest::newRow("a namespace that cannot be seen")
        << 0U << kAll << kAll << "" << engine << Answer::not_told;
    QTest::newRow("without privileges") << 0U << kNone << kNone << ours << engine << Answer::no;
    QTest::newRow("root that can regain them")
        << 0U << kNone << kAll << ours << engine << Answer::yes;
    QTest::newRow("a user") << 1000U << kNone << kAll << ours << engine << Answer::no;
}

void TestHostIds::a_program_of_root_is_an_administrator() {
    QFETCH(unsigned, uid);
    QFETCH(QString, permitted);
    QFETCH(QString, bounding);
    QFETCH(QString, ipc);
    QFETCH(QString, executable);
    QFETCH(Answer, answer);
    MadeHost host;
    QVERIFY(QFile::link("ipc:[4026531839]", host.path("proc/self/ns/ipc")));
    host.process(300, "program", 50);
    host.write("proc/300/status", MadeHost::status(uid, permitted) + "CapBnd:\t" + bounding + "\n");
    QVERIFY(QDir().mkpath(host.path("proc/300/ns")));
    QVERIFY(QFile::link("mnt:[4026531832]", host.path("proc/300/ns/mnt")));
    if (!ipc.isEmpty()) QVERIFY(QFile::link(ipc, host.path("proc/300/ns/ipc")));
    QVERIFY(QFile::link(executable, host.path("proc/300/exe")));
    auto table = table_of(host);
    (void)table.look({}, [](const Process&, const Sighting&) {});
    QCOMPARE(table.find_administrator().answer, answer);
}

void TestHostIds::a_swap_file_is_told() {
    const auto found = parse_swaps(
        "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
        "/dev/zram0                              partition\t1024\t0\t-2\n"
        "/var/swap\\040file                      file\t\t1024\t0\t-3\n");
    QCOMPARE(found.size(), std::size_t{1});
    QCOMPARE(found.front().path, std::string("/var/swap file"));
}

QTEST_GUILESS_MAIN(TestHostIds)
#include "tst_host_ids.moc"
