// SPDX-License-Identifier: MIT
// What the kernel uses without a process, one arrangement at a time: it stays, with a lease and
// without one.
#include <sys/mount.h>
#include <unistd.h>

#include <QDeadlineTimer>
#include <QDir>
#include <QTemporaryDir>
#include <QtTest>

#include <cstdio>

#include "host_arrangements.h"
#include "host_ground.h"
#include "host_view.h"

using namespace snakepit::shm::test;

namespace {

constexpr int kUser = 73'000;  // and some more
const QString kNoLease = "setpriv --bounding-set=-lease,-setuid";

QString reason_of(const Finished& done) {
    return done.json()["items"].toArray().first().toObject()["reason"].toString() + done.err;
}

}  // namespace

class HostKernel : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void cleanup();
    void what_is_held_stays_data();
    void what_is_held_stays();
    void a_loop_device_is_told_without_a_lease();
    void an_overlay_leaves_open_who_uses_it_without_a_lease();
    void without_a_lease_what_nobody_has_still_goes();
    void a_mount_with_other_ids_is_told();
    void subordinate_ids_are_told();
    void a_program_of_root_is_told();
    void huge_pages_that_are_mapped_stay();

  private:
    Finished clean(const QString& name, const QString& through) const {
        return looker_.run({"host", "clean", "--force", "--yes", "--json", name}, {}, 0, {},
                           through);
    }
    QString evidence(const QString& name) const {
        return evidence_of(segment_named(looker_.run({"host", "--all", "--json"}).json(), name));
    }
    static QString loop_on(const QString& name) {
        return QString(
                   "name = file('%1', owner=USER)\n"
                   "done = subprocess.run(['losetup', '-f', '--show', SHM + name],"
                   " capture_output=True, text=True)\n"
                   "check(-1 if done.returncode else 0)\n"
                   "device = os.open(done.stdout.strip(), os.O_RDONLY)\n"
                   "subprocess.check_call(['losetup', '-d', done.stdout.strip()])\n"
                   "ready()\n")
            .arg(name);
    }

    Looker looker_;
};

void HostKernel::cleanup() {
    for (const auto& name : QDir("/dev/shm").entryList(QDir::Files | QDir::Hidden))
        QFile::remove("/dev/shm/" + name);
}

void HostKernel::what_is_held_stays_data() {
    QTest::addColumn<QString>("script");
    for (const auto& arrangement : living_in_the_kernel())
        if (arrangement.held) QTest::newRow(arrangement.name) << QString(arrangement.script);
}

void HostKernel::what_is_held_stays() {
    QFETCH(QString, script);
    Actor actor(script, kUser);
    QVERIFY2(actor.ready(), qPrintable(actor.failure()));
    for (const auto& name : actor.segments())
        for (const auto& through : {QString(), kNoLease}) {
            const auto done = clean(name, through);
            QVERIFY2(done.json()["removed"].toInt(-1) == 0, qPrintable(name + reason_of(done)));
        }
}

void HostKernel::a_loop_device_is_told_without_a_lease() {
    Actor actor(loop_on("disk"), kUser);
    if (!actor.ready()) QSKIP("no loop devices here");
    for (const auto& through : {QString(), kNoLease}) {
        const auto done = clean("disk", through);
        const auto item = done.json()["items"].toArray().first().toObject();
        QVERIFY2(item["code"].toString() == "in_use", qPrintable(reason_of(done)));
        QVERIFY2(reason_of(done).contains("kernel: loop"), qPrintable(reason_of(done)));
    }
    QVERIFY2(evidence("disk").contains("loop"), qPrintable(evidence("disk")));
}

void HostKernel::an_overlay_leaves_open_who_uses_it_without_a_lease() {
    Actor actor(
        "os.mkdir(SHM + 'lower'); file('lower/data', owner=USER); unshare(NEWNS); overlay_of(SHM + "
        "'lower')\n"
        "ready()\n",
        kUser);
    QVERIFY2(actor.ready(), qPrintable(actor.failure()));
    QVERIFY2(evidence("lower/data").contains("overlay"), qPrintable(evidence("lower/data")));
    const auto refused = clean("lower/data", kNoLease);
    QCOMPARE(refused.json()["items"].toArray().first().toObject()["code"].toString(), "not_known");
    QCOMPARE(clean("lower/data", {}).json()["removed"].toInt(), 1);
    QDir("/dev/shm/lower").removeRecursively();
}

void HostKernel::without_a_lease_what_nobody_has_still_goes() {
    Actor actor("file('idle', owner=USER); ready()", kUser);
    QVERIFY(actor.ready());
    const auto survey = looker_.run({"host", "--json"}, {}, 0, {}, kNoLease).json();
    const auto done = clean("idle", kNoLease);
    if (survey["unreadable_processes"].toInt() > 0 ||
        reason_of(done).contains("sockets or io_uring"))
        QSKIP("not every process of this host can be inspected, or descriptors wait");
    QVERIFY2(done.json()["removed"].toInt() == 1, qPrintable(reason_of(done)));
}

void HostKernel::a_mount_with_other_ids_is_told() {
    Actor actor(
        "away(lambda: (become(), file('state')))\n"
        "def other():\n"
        "    unshare(NEWNS); place = tempfile.mkdtemp(); idmapped(place, USER, USER + 1)\n"
        "    become(USER + 1); os.close(os.open(place + '/state', os.O_RDWR)); hold()\n"
        "child(other)\n"
        "ready()\n",
        kUser);
    QVERIFY2(actor.ready(), qPrintable(actor.failure()));
    QVERIFY2(evidence("state").contains("with other ids"), qPrintable(evidence("state")));
    actor.end();
    QVERIFY2(!evidence("state").contains("with other ids"), qPrintable(evidence("state")));
}

void HostKernel::subordinate_ids_are_told() {
    Actor actor(
        "away(lambda: (become(), file('state')))\n"
        "def other():\n"
        "    unshare(NEWNS); subprocess.check_call(['mount', '--make-rprivate', '/'])\n"
        "    ids = tempfile.mktemp(); open(ids, 'w').write('tester:%d:5\\n' % USER)\n"
        "    subprocess.check_call(['mount', '--bind', ids, '/etc/subuid'])\n"
        "    become(USER + 5); hold()\n"
        "child(other)\n"
        "ready()\n",
        kUser);
    QVERIFY2(actor.ready(), qPrintable(actor.failure()));
    QString told;
    QDeadlineTimer end(kPatienceMs);
    do {
        told = evidence("state");
    } while (!told.contains("tester") && !end.hasExpired());
    QVERIFY2(told.contains("tester"), qPrintable(told));
}

// Its name tells nothing, and it never attached anything.
void HostKernel::a_program_of_root_is_told() {
    Actor actor(
        "away(lambda: (become(), system_v()))\n"
        "child(lambda: (settled(), os.execv('/bin/sleep', ['sleep', '600'])))\n"
        "unshare(NEWIPC)\n"
        "ready()\n",
        kUser);
    QVERIFY2(actor.ready(), qPrintable(actor.failure()));
    const Later later{.passed = 900};
    const auto offered = [&] {
        return looker_.run({"host", "clean", "--dry-run", "--json"}, later)
            .json()["items"]
            .toArray()
            .size();
    };
    QCOMPARE(offered(), 0);
    QVERIFY2(evidence(actor.segments().front()).contains("sleep"),
             qPrintable(evidence(actor.segments().front())));
    actor.end();
    QCOMPARE(offered(), 1);
    QCOMPARE(looker_.run({"host", "clean", "--yes", "--json"}, later).json()["removed"].toInt(), 1);
}

void HostKernel::huge_pages_that_are_mapped_stay() {
    QTemporaryDir directory;
    const auto place = directory.path().toUtf8();
    if (::mount("none", place.constData(), "hugetlbfs", 0, "mode=1777") != 0)
        QSKIP("no huge pages here");
    Actor actor(QString("f = os.open('%1/huge', os.O_RDWR | os.O_CREAT); os.ftruncate(f, 2 << 20)\n"
                        "c.mmap.restype = ctypes.c_void_p\n"
                        "check(c.mmap(None, ctypes.c_size_t(2 << 20), 1, 0x4001, f,"
                        " ctypes.c_long(0)))\n"  // MAP_NORESERVE
                        "os.close(f); ready()\n")
                    .arg(directory.path()),
                0);
    QVERIFY2(actor.ready(), qPrintable(actor.failure()));
    const auto clean_there = [&](const QString& through) {
        return looker_
            .run({"host", "--shm-path", directory.path(), "clean", "--force", "--yes", "--json",
                  "huge"},
                 {}, 0, {}, through)
            .json();
    };
    for (const auto& through : {QString(), kNoLease}) {
        const auto item = clean_there(through)["items"].toArray().first().toObject();
        QVERIFY2(item["code"].toString() == "in_use", qPrintable(item["reason"].toString()));
    }
    actor.end();
    QCOMPARE(clean_there({})["removed"].toInt(), 1);
    QCOMPARE(::umount2(place.constData(), MNT_DETACH), 0);
}

int main(int count, char** words) {
    if (!enter_own_ground()) {
        std::puts("SKIP: needs root and namespaces of its own");
        return 0;
    }
    HostKernel test;
    return QTest::qExec(&test, count, words);
}

#include "tst_host_kernel.moc"
