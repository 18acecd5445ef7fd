// SPDX-License-Identifier: MIT
// Several managers of one instance name on one directory of segments: what belongs to another, or
// may, stays; what is nobody's goes; and nothing that others put there stops or misleads a manager.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QScopeGuard>
#include <QtTest>

#include <functional>

#include "site.h"

using namespace snakepit::shm::test;

Q_DECLARE_METATYPE(Space)

namespace {

constexpr unsigned kSomebody = 1501, kAttacker = 1502;
constexpr auto kDedicated = "64KiB --placement dedicated";
using Plant = std::function<void(const QByteArray& path)>;

void make_file(const QByteArray& path, const QByteArray& text, mode_t mode = 0600) {
    QFile file(QString::fromUtf8(path));
    if (file.open(QIODevice::WriteOnly)) file.write(text);
    ::chmod(path.constData(), mode);
}

}  // namespace

Q_DECLARE_METATYPE(Plant)

class Ownership : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void init() { host_ = std::make_shared<TestHost>(); }

    void a_manager_in_a_container_keeps_what_the_host_uses_data() { spaces(); }
    void a_manager_in_a_container_keeps_what_the_host_uses();
    void a_manager_of_the_host_keeps_what_is_idle_in_a_container_data() { spaces(); }
    void a_manager_of_the_host_keeps_what_is_idle_in_a_container();
    void what_a_killed_container_left_goes_with_the_next_manager_there_data() { spaces(); }
    void what_a_killed_container_left_goes_with_the_next_manager_there();
    void a_dead_manager_of_a_living_container_loses_nothing();
    void a_path_that_leads_nowhere_behind_chroot_proves_nothing();
    void a_removed_runtime_directory_proves_the_registry_lost();
    void a_copied_runtime_directory_takes_nothing_from_the_original();
    void root_once_and_then_a_service_of_its_own_user();
    void what_others_plant_stops_no_manager_data();
    void what_others_plant_stops_no_manager();
    void a_removed_mark_is_made_again();
    void without_room_for_a_mark_the_manager_starts_and_says_so();
    void children_do_not_hold_the_mark();
    void an_orderly_end_with_nothing_left_leaves_nothing();
    void health_has_nothing_against_other_managers();
    void a_person_removes_what_no_mark_accounts_for();
    void what_was_kept_is_said_once();

  private:
    static void spaces();
    QStringList marks() const {
        return QDir(host_->path("segments"))
            .entryList({".snakepit_*"}, QDir::Files | QDir::Hidden | QDir::System);
    }
    std::shared_ptr<TestHost> host_;
};

void Ownership::initTestCase() {
    if (const auto reason = Site::missing(); !reason.isEmpty()) QSKIP(qPrintable(reason));
}

void Ownership::spaces() {
    QTest::addColumn<Space>("space");
    QTest::newRow("mount namespace") << Space::mount;
    QTest::newRow("mount and pid namespace") << Space::mount_and_pid;
}

void Ownership::a_manager_in_a_container_keeps_what_the_host_uses() {
    QFETCH(Space, space);
    Site ours(host_, Space::host);
    QVERIFY(ours.start());
    const auto pooled = ours.allocate("1MiB"), idle = ours.allocate(kDedicated);
    ours.hold(pooled);
    Site container(host_, space);
    QVERIFY(container.start());
    QVERIFY(container.kinds().contains("leftover_kept"));
    QVERIFY(!container.kinds().contains("leftover_removed"));
    QCOMPARE(ours.release(), 0);
    QVERIFY(ours.whole(pooled));
    QVERIFY(ours.whole(idle));
    QCOMPARE(ours.json("health").value("healthy").toBool(), true);
}

void Ownership::a_manager_of_the_host_keeps_what_is_idle_in_a_container() {
    QFETCH(Space, space);
    Site container(host_, space), ours(host_, Space::host);
    QVERIFY(container.start());
    const auto pooled = container.allocate("4096"), idle = container.allocate(kDedicated);
    for (int i = 0; i < 2; ++i) {
        QVERIFY(ours.start());
        QVERIFY(!ours.kinds().contains("leftover_removed"));
        (void)ours.kill();
    }
    QVERIFY(container.restart(false));
    QVERIFY(container.whole(pooled));
    QVERIFY(container.whole(idle));
}

void Ownership::what_a_killed_container_left_goes_with_the_next_manager_there() {
    QFETCH(Space, space);
    Site ours(host_, Space::host);
    QVERIFY(ours.start());
    const auto idle = ours.allocate(kDedicated), pooled = ours.allocate("4096");
    {
        Site container(host_, space);
        QVERIFY(container.start());
        QVERIFY(!container.allocate(kDedicated).isEmpty());
        QVERIFY(!container.allocate("1MiB").isEmpty());
        (void)container.kill();
    }
    QCOMPARE(host_->segments().size(), 4);
    // The kernel takes its time with the end of a file system.
    QTRY_COMPARE_WITH_TIMEOUT(
        [&] {
            Site next(host_, space);
            (void)next.start();
            (void)next.stop();
            return host_->segments().size();
        }(),
        2, kPatienceMs);
    QCOMPARE(marks().size(), 1);
    QVERIFY(ours.whole(idle));
    QVERIFY(ours.whole(pooled));
}

// Its mark is free for a moment, and its registry still there: a stranger whose paths read the same
// and whose directories are empty must not take it for the one before.
void Ownership::a_dead_manager_of_a_living_container_loses_nothing() {
    Site one(host_, Space::mount_and_pid);
    QVERIFY(one.start());
    const auto idle = one.allocate(kDedicated), pooled = one.allocate("4096");
    (void)one.kill();
    for (const auto space : {Space::mount_and_pid, Space::mount, Space::host}) {
        Site other(host_, space);
        QVERIFY(other.start());
        QVERIFY(other.kinds().contains("leftover_kept"));
        QVERIFY(!other.kinds().contains("leftover_removed"));
        (void)other.kill();
    }
    QVERIFY(one.start());
    QVERIFY(one.whole(idle));
    QVERIFY(one.whole(pooled));
}

void Ownership::a_path_that_leads_nowhere_behind_chroot_proves_nothing() {
    Site one(host_, Space::mount);
    QVERIFY(one.start());
    const auto idle = one.allocate(kDedicated);
    (void)one.kill();
    // The same mount namespace, another root: there the path is another directory.
    one.run(
        "R=" + host_->path("root") +
        "; mkdir -p $R && mount --rbind / $R && mount -t tmpfs -o mode=700 x "
        "$R$SNAKEPIT_SHM_RUNTIME_DIR && mount -t tmpfs -o mode=700 x $R$SNAKEPIT_SHM_STATE_DIR");
    const auto said = one.run(
        "chroot $R \"$SS\" serve & C=$!; until chroot $R \"$SS\" status >/dev/null 2>&1; do sleep "
        ".05; done; chroot $R \"$SS\" events; kill $C; wait $C");
    QVERIFY2(said.contains("leftover_kept"), qPrintable(said));
    QVERIFY2(!said.contains("leftover_removed"), qPrintable(said));
    QVERIFY(one.start());
    QVERIFY(one.whole(idle));
}

void Ownership::a_removed_runtime_directory_proves_the_registry_lost() {
    Site one(host_, Space::host);
    for (const auto* loss :
         {"rm -rf \"$SNAKEPIT_SHM_RUNTIME_DIR\"/*", "rm -rf \"$SNAKEPIT_SHM_RUNTIME_DIR\""}) {
        QVERIFY(one.start());
        QVERIFY(!one.allocate(kDedicated).isEmpty());
        QVERIFY(!one.allocate("4096").isEmpty());
        (void)one.kill();
        one.run(loss);
        QVERIFY(one.start());
        QTRY_VERIFY_WITH_TIMEOUT(one.kinds().contains("leftover_removed"), kPatienceMs);
        QCOMPARE(host_->segments().size(), 0);
        QCOMPARE(marks().size(), 1);
        (void)one.stop();
    }
}

void Ownership::a_copied_runtime_directory_takes_nothing_from_the_original() {
    Site one(host_, Space::host), copy(host_, Space::host);
    QVERIFY(one.start());
    const auto idle = one.allocate(kDedicated), pooled = one.allocate("4096");
    copy.run("cp -a " + one.run("echo $SNAKEPIT_SHM_RUNTIME_DIR") +
             "/. $SNAKEPIT_SHM_RUNTIME_DIR; "
             "rm -f $SNAKEPIT_SHM_RUNTIME_DIR/*.sock");
    QVERIFY(copy.start());
    QVERIFY(copy.json("list").value("regions").toArray().isEmpty());
    QTRY_VERIFY_WITH_TIMEOUT(copy.kinds().contains("registry_reset"), kPatienceMs);
    (void)copy.json("cleanup --all-eligible --no-quarantine");
    QCOMPARE(copy.stop(), 0);
    QVERIFY(one.whole(idle));
    QVERIFY(one.whole(pooled));
}

void Ownership::root_once_and_then_a_service_of_its_own_user() {
    Site root(host_, Space::host);
    QVERIFY(root.start());
    const auto id = root.allocate(kDedicated);
    (void)root.kill();
    Site service(host_, Space::host, kSomebody);
    QVERIFY(service.start());
    const auto own = service.allocate(kDedicated);
    QVERIFY(service.restart(false));
    QVERIFY(service.whole(own));
    QVERIFY(root.start());
    QVERIFY(root.whole(id));
    QVERIFY(service.whole(own));
}

void Ownership::what_others_plant_stops_no_manager_data() {
    QTest::addColumn<Plant>("plant");
    QTest::addColumn<unsigned>("owner");
    const auto add = [](const char* what, const Plant& plant) {
        QTest::addRow("%s of somebody else", what) << plant << kAttacker;
        QTest::addRow("%s of its own user", what) << plant << kSomebody;
    };
    add("a file", [](const QByteArray& path) { make_file(path, "x"); });
    add("a file without rights", [](const QByteArray& path) { make_file(path, "x", 0); });
    add("a link", [](const QByteArray& path) { QVERIFY(::symlink("/etc/passwd", path) == 0); });
    add("a pipe", [](const QByteArray& path) { QVERIFY(::mkfifo(path, 0666) == 0); });
    add("a directory", [](const QByteArray& path) { QVERIFY(::mkdir(path, 0777) == 0); });
    add("a huge file", [](const QByteArray& path) {
        make_file(path, "x");
        QVERIFY(::truncate(path, 1LL << 50) == 0);
    });
    add("a locked file", [](const QByteArray& path) {
        make_file(path, "x", 0666);
        const int file = ::open(path, O_RDWR);  // until the test ends
        struct flock range {};
        range.l_type = F_WRLCK;
        QVERIFY(::flock(file, LOCK_EX) == 0 && ::fcntl(file, F_OFD_SETLK, &range) == 0);
    });
    add("a leased file", [](const QByteArray& path) {
        make_file(path, "x", 0666);
        ::signal(SIGIO, SIG_IGN);
        QVERIFY(::fcntl(::open(path, O_RDWR), F_SETLEASE, F_WRLCK) == 0);
    });
    add("a path to a pipe", [](const QByteArray& path) {
        const auto pipe = QFileInfo(path).path().toUtf8() + "/pipe";
        (void)::mkfifo(pipe, 0666);
        make_file(path, pipe + "\nsnakepit-shm mark 1\n", 0644);
    });
}

// Under every name that a mark may have, of another user and of the manager's own.
void Ownership::what_others_plant_stops_no_manager() {
    QFETCH(Plant, plant);
    QFETCH(unsigned, owner);
    Site one(host_, Space::host, kSomebody);
    QVERIFY(one.start());
    const auto idle = one.allocate(kDedicated);
    const auto mark = marks().value(0);
    (void)one.kill();
    auto close_by = mark;
    close_by.chop(1);
    for (const auto& name :
         {QString(".snakepit_test@0123456789abcdef"),
          QString(".snakepit_test@0123456789abcdef.new"), QString(".snakepit_test@"), mark + "0",
          close_by + "g", QString(".snakepit_test@\x1b[2J\n"),
          QString(".snakepit_test@1501-0000000000000000-") + QString(32, 'a')}) {
        const auto path = host_->path("segments/" + name).toUtf8();
        plant(path);
        QCOMPARE(::lchown(path, owner, owner), 0);
    }
    QElapsedTimer timer;
    timer.start();
    QVERIFY(one.start());
    QVERIFY2(timer.elapsed() < 20'000, "something made it wait");
    QVERIFY(one.whole(idle));
    QVERIFY(one.restart(true));
    QVERIFY(one.whole(idle));
    QVERIFY(QFile::exists("/etc/passwd"));
}

void Ownership::a_removed_mark_is_made_again() {
    Site one(host_, Space::host);
    QVERIFY(one.start());
    const auto mark = marks().value(0);
    QVERIFY(QFile::remove(host_->path("segments/" + mark)));
    QTRY_COMPARE_WITH_TIMEOUT(marks().size(), 1, kPatienceMs);
    QVERIFY(marks().front() != mark);
}

void Ownership::without_room_for_a_mark_the_manager_starts_and_says_so() {
    const auto segments = host_->path("segments").toUtf8();
    // Room for two files, which are there already.
    QCOMPARE(::mount("x", segments, "tmpfs", 0, "nr_inodes=3,mode=1777"), 0);
    const auto unmount = qScopeGuard([&] { ::umount2(segments, MNT_DETACH); });
    make_file(segments + "/one", "1");
    make_file(segments + "/two", "2");
    host_->configure("health_check_interval = \"1s\"");
    {
        Site one(host_, Space::host);
        QVERIFY(one.start());
        QTRY_VERIFY_WITH_TIMEOUT(one.kinds().contains("health_problem"), kPatienceMs);
        const auto health = one.run("\"$SS\" health");
        QVERIFY2(health.contains("cannot see whose our segments are"), qPrintable(health));
        QVERIFY(QFile::remove(segments + "/one"));
        QTRY_COMPARE_WITH_TIMEOUT(marks().size(), 1, kPatienceMs);
        QTRY_VERIFY_WITH_TIMEOUT(one.kinds().contains("health_mended"), kPatienceMs);
        QCOMPARE(one.stop(), 0);
    }
}

void Ownership::children_do_not_hold_the_mark() {
    Site one(host_, Space::host);
    QVERIFY(one.start());
    // Memory without a name brings the keeper, which outlives the manager.
    const auto id = one.allocate("4096 --other ro");
    QVERIFY(!id.isEmpty());
    const auto path = host_->path("segments/" + marks().value(0)).toUtf8();
    const auto held = [&] {
        const int file = ::open(path, O_RDONLY | O_CLOEXEC);
        struct flock range {};
        range.l_type = F_WRLCK;
        ::fcntl(file, F_OFD_GETLK, &range);
        ::close(file);
        return range.l_type != F_UNLCK;
    };
    QVERIFY(held());
    (void)one.kill();
    QVERIFY(!held());
    QVERIFY(one.start());
    QVERIFY(held());
    QCOMPARE(marks().size(), 1);
    QVERIFY(one.whole(id));
    QVERIFY(!one.json("deallocate " + id).isEmpty());
}

void Ownership::an_orderly_end_with_nothing_left_leaves_nothing() {
    Site one(host_, Space::host);
    QVERIFY(one.start());
    const auto id = one.allocate("4096");
    QCOMPARE(one.stop(), 0);
    QCOMPARE(marks().size(), 1);
    QVERIFY(one.start());
    QVERIFY(!one.json("deallocate " + id).isEmpty());
    QCOMPARE(one.stop(), 0);
    QCOMPARE(marks(), QStringList());
    QCOMPARE(host_->segments(), QStringList());
}

void Ownership::health_has_nothing_against_other_managers() {
    const auto verdict = [](Site& site) {
        for (const auto& value : site.json("health").value("checks").toArray())
            if (value.toObject().value("name").toString() == "leftover_segments")
                return value.toObject().value("status").toString() + ": " +
                       value.toObject().value("message").toString();
        return QString("none");
    };
    Site one(host_, Space::host), other(host_, Space::host),
        stranger(host_, Space::host, kSomebody);
    for (auto* site : {&one, &other, &stranger}) {
        QVERIFY(site->start());
        QVERIFY(!site->allocate(kDedicated).isEmpty());
        QVERIFY(!site->allocate("4096").isEmpty());
    }
    for (auto* site : {&one, &stranger})
        QVERIFY2(verdict(*site).startsWith("ok"), qPrintable(verdict(*site)));
    (void)one.stop();
    QVERIFY2(verdict(one).startsWith("ok"), qPrintable(verdict(one)));
    (void)other.kill();  // it may be started again
    QVERIFY2(verdict(one).startsWith("ok"), qPrintable(verdict(one)));
}

void Ownership::a_person_removes_what_no_mark_accounts_for() {
    Site one(host_, Space::host);
    QVERIFY(one.start());
    const auto own = one.allocate(kDedicated);
    const QString nobodys = "snakepit_test_shm_1700000000000000_0123456789abcdef";
    make_file(host_->path("segments/" + nobodys).toUtf8(), "x");
    QVERIFY(one.restart(false));
    QTRY_VERIFY_WITH_TIMEOUT(one.kinds().contains("leftover_kept"), kPatienceMs);
    const auto clean = [&](const QString& name) {
        return one.json("host clean --yes --shm-path " + host_->path("segments") + " " + name)
            .value("items")
            .toArray()
            .at(0)
            .toObject();
    };
    QVERIFY(!clean("snakepit_test_" + own)["removed"].toBool());
    QVERIFY(one.whole(own));
    const auto looked = one.json("host --shm-path " + host_->path("segments") + " " + nobodys)
                            .value("segments")
                            .toArray()
                            .at(0)
                            .toObject();
    QVERIFY2(looked["advice"].toString().contains("snakepit-shm serve"), "how to remove it");
    const auto removed = clean(nobodys);
    QVERIFY(removed["removed"].toBool());
    // What was done needs no advice.
    const auto reason = removed["reason"].toString();
    QVERIFY2(reason.contains("left a mark") && !reason.contains("snakepit-shm serve"),
             qPrintable(reason));
    QVERIFY(!host_->segments().contains(nobodys));
}

void Ownership::what_was_kept_is_said_once() {
    Site one(host_, Space::host), other(host_, Space::host);
    QVERIFY(one.start());
    QVERIFY(!one.allocate(kDedicated).isEmpty());
    for (int i = 0; i < 4; ++i) {
        QVERIFY(other.start());
        (void)other.kill();
    }
    QVERIFY(other.start());
    QTRY_COMPARE_WITH_TIMEOUT(other.kinds().count("manager_started"), 5, kPatienceMs);
    QCOMPARE(other.kinds().count("leftover_kept"), 1);
}

QTEST_GUILESS_MAIN(Ownership)
#include "tst_ownership.moc"
