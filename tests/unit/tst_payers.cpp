// SPDX-License-Identifier: MIT
// Who pays for segments: names of control groups, and what files of the kernel's say, laid over.
#include <QtTest>

#include <algorithm>

#include "made_host.h"
#include "survey/group_names.h"
#include "survey/segment_memory.h"

using namespace snakepit::shm;
using namespace snakepit::shm::survey;
using namespace snakepit::shm::test;

namespace {

const QString kId = QString("0123456789abcdef").repeated(4);
const QString kPod = "6f1c2d3e-0a1b-4c5d-8e9f-001122334455";

constexpr std::uint64_t kAddress = 0x7f0000000000;  // of MadeHost::mapping()
constexpr quint64 kMapped = 1ULL << 63 | 1ULL << 61;

enum class Version { one, two, hybrid, none };

// A host with one process in a control group, which has a page of one segment mapped.
class MadeGroups {
  public:
    explicit MadeGroups(Version version) : version_(version) {
        const auto line = [this](const char* type, const QString& point, const char* options) {
            return QString("31 23 0:29 / %1 rw,relatime - %2 cgroup %3\n")
                .arg(host.path(point), type, options);
        };
        QFile mounts(host.path("proc/self/mountinfo"));
        if (!mounts.open(QIODevice::Append)) qFatal("cannot append");
        if (version == Version::one || version == Version::hybrid)
            mounts.write(line("cgroup", "groups/memory", "rw,memory").toUtf8());
        if (version == Version::hybrid)
            mounts.write(line("cgroup2", "groups/unified", "rw").toUtf8());
        if (version == Version::two) mounts.write(line("cgroup2", "groups", "rw").toUtf8());
    }
    QString point() const { return version_ == Version::two ? "groups" : "groups/memory"; }

    // With 1 GiB as its limit.
    void group(const QString& path, quint64 used, quint64 shared) const {
        const auto at = point() + path + "/";
        const bool two = version_ == Version::two;
        host.write(at + (two ? "memory.max" : "memory.limit_in_bytes"), "1073741824\n");
        host.write(at + (two ? "memory.current" : "memory.usage_in_bytes"),
                   QString::number(used) + "\n");
        host.write(at + "memory.stat", QString(two ? "inactive_file 4096\nshmem %1\n"
                                                   : "shmem 1\ntotal_inactive_file 4096\n"
                                                     "total_shmem %1\n")
                                           .arg(shared));
    }
    quint64 inode(const QString& path) const {
        struct stat info {};
        return ::stat(qPrintable(host.path(point() + path)), &info) == 0 ? info.st_ino : 0;
    }
    // Process 7 maps `file`; `entry`: of its page table, for the page with the number 5.
    void maps(const QString& file, quint64 entry, quint64 charged) const {
        host.process(7, "worker", 100, MadeHost::mapping(file));
        numbers("proc/7/pagemap", kAddress / 4096, entry);
        numbers("proc/kpagecgroup", 5, charged);
        const auto link = host.path("proc/7/map_files/7f0000000000-7f0000001000");
        QDir().mkpath(QFileInfo(link).path());
        QFile::link(file, link);
    }

    mutable MadeHost host;

  private:
    void numbers(const QString& name, quint64 at, quint64 value) const {
        QFile file(host.path(name));
        if (!file.open(QIODevice::WriteOnly) || !file.seek(static_cast<qint64>(at * 8)) ||
            file.write(reinterpret_cast<const char*>(&value), 8) != 8)
            qFatal("cannot write %s", qPrintable(name));
    }
    Version version_;
};

SurveyOptions with_payers(const MadeHost& host, const SegmentMemory* memory = nullptr) {
    auto options = host.options();
    options.payers = true;
    options.memory = memory;
    return options;
}

const HostSegment& only(const HostSurvey& survey) {
    if (survey.segments.size() != 1) qFatal("expected one segment");
    return survey.segments.front();
}

}  // namespace

class Payers : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void groups_are_named_as_their_makers_name_them_data();
    void groups_are_named_as_their_makers_name_them();
    void the_group_of_a_mapped_page_pays_data();
    void the_group_of_a_mapped_page_pays();
    void what_is_not_told_has_a_reason_data();
    void what_is_not_told_has_a_reason();
    void a_page_that_changes_hands_meanwhile_names_nobody();
    void what_was_known_while_it_was_mapped_is_remembered();
    void a_removed_group_leaves_its_pages_to_the_one_above();
    void the_nearest_limit_counts();
};

void Payers::groups_are_named_as_their_makers_name_them_data() {
    QTest::addColumn<QString>("path");
    QTest::addColumn<QString>("kind");
    QTest::addColumn<QString>("name");
    const auto row = [](const char* what, const QString& path, const char* kind,
                        const QString& name) { QTest::newRow(what) << path << kind << name; };
    const auto container = QString("container ") + kId.left(12);
    const auto in_pod = container + " of pod " + kPod;
    auto escaped_pod = kPod;
    escaped_pod.replace('-', '_');
    row("root", "/", "host", "the host");
    row("nothing", "", "host", "the host");
    row("docker, cgroupfs", "/docker/" + kId, "container", container);
    row("docker, systemd", "/system.slice/docker-" + kId + ".scope", "container", container);
    row("podman", "/machine.slice/libpod-" + kId + ".scope", "container", container);
    row("podman, inside", "/machine.slice/libpod-" + kId + ".scope/container", "container",
        container);
    row("podman of a user",
        "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + kId + ".scope",
        "container", container);
    row("podman, cgroupfs", "/libpod_parent/libpod-" + kId, "container", container);
    row("podman's monitor", "/machine.slice/libpod-conmon-" + kId + ".scope", "unit",
        "libpod-conmon-" + kId + ".scope");
    row("kubernetes, systemd",
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + escaped_pod +
            ".slice/cri-containerd-" + kId + ".scope",
        "container", in_pod);
    row("kubernetes, guaranteed",
        "/kubepods.slice/kubepods-pod" + escaped_pod + ".slice/crio-" + kId + ".scope", "container",
        in_pod);
    row("kubernetes, cgroupfs", "/kubepods/besteffort/pod" + kPod + "/" + kId, "container", in_pod);
    row("a pod itself",
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + escaped_pod +
            ".slice",
        "pod", "pod " + kPod);
    row("a static pod", "/kubepods/burstable/pod" + kId.left(32), "pod", "pod " + kId.left(32));
    row("all pods", "/kubepods.slice", "unit", "kubepods.slice");
    row("nerdctl", "/system.slice/nerdctl-" + kId + ".scope", "container", container);
    row("containerd", "/default/" + kId, "container", container);
    row("lxc", "/lxc.payload.web-1", "container", "container web-1");
    row("lxc, before 4.0", "/lxc/web-1", "container", "container web-1");
    row("lxc's monitor", "/lxc.monitor.web-1", "group", "group /lxc.monitor.web-1");
    row("nspawn", "/machine.slice/machine-web\\x2d1.scope", "container", "container web-1");
    row("nspawn, as a service", "/machine.slice/systemd-nspawn@web.service/payload", "container",
        "container web");
    row("a virtual machine", "/machine.slice/machine-qemu\\x2d1\\x2ddebian.scope/libvirt", "unit",
        "machine-qemu-1-debian.scope");
    row("docker in docker", "/docker/" + QString(64, 'f') + "/docker/" + kId, "container",
        container);
    row("a service in a container", "/docker/" + kId + "/system.slice/nginx.service", "container",
        container);
    row("service", "/system.slice/nginx.service", "unit", "nginx.service");
    row("below a service", "/system.slice/nginx.service/workers", "unit", "nginx.service");
    row("of a user", "/user.slice/user-1000.slice/user@1000.service/app.slice/x.service", "unit",
        "x.service");
    row("a slice of a user's manager", "/user.slice/user-1000.slice/user@1000.service/app.slice",
        "unit", "user@1000.service");
    row("session", "/user.slice/user-1000.slice/session-2.scope", "unit", "session-2.scope");
    row("slice", "/user.slice/user-1000.slice", "unit", "user-1000.slice");
    row("a name with a bad escape", "/system.slice/a\\xzz.service", "unit", "a\\xzz.service");
    row("anything", "/batch/job 7", "group", "group /batch/job 7");
    row("too short for an id", "/docker/" + kId.left(63), "group", "group /docker/" + kId.left(63));
    row("like a pod", "/kubepods/podcast", "group", "group /kubepods/podcast");
    row("only an end", "/.service", "group", "group /.service");
}

void Payers::groups_are_named_as_their_makers_name_them() {
    QFETCH(QString, path);
    QFETCH(QString, kind);
    QFETCH(QString, name);
    const auto found = name_of_group(path.toStdString());
    QCOMPARE(QString::fromStdString(found.name), name);
    QCOMPARE(QString::fromUtf8(to_string(found.kind).data()), kind);
}

void Payers::the_group_of_a_mapped_page_pays_data() {
    QTest::addColumn<int>("version");
    QTest::newRow("version 1") << static_cast<int>(Version::one);
    QTest::newRow("version 2") << static_cast<int>(Version::two);
    QTest::newRow("hybrid") << static_cast<int>(Version::hybrid);
}

void Payers::the_group_of_a_mapped_page_pays() {
    QFETCH(int, version);
    const MadeGroups made(static_cast<Version>(version));
    const auto path = "/system.slice/docker-" + kId + ".scope";
    made.group("/system.slice/other.service", 1, 1);
    made.group(path, 5 << 20, 2 << 20);
    made.maps(made.host.segment("buffer"), kMapped | 5, made.inode(path));
    const auto survey = survey_host(with_payers(made.host));
    QVERIFY(survey.has_value());
    const auto& payer = only(*survey).payer;
    QCOMPARE(QString::fromStdString(payer.group), path);
    QCOMPARE(QString::fromStdString(payer.name), "container " + kId.left(12));
    QVERIFY(payer.kind == GroupKind::container);
    QVERIFY(payer.known_by == SegmentPayer::KnownBy::page);
    QVERIFY(payer.reason.empty());
    QCOMPARE(survey->groups.size(), std::size_t{1});
    const auto& group = survey->groups.front();
    QCOMPARE(QString::fromStdString(group.group), path);
    QCOMPARE(group.segments, std::uint64_t{1});
    QCOMPARE(group.bytes, only(*survey).resident);
    QCOMPARE(group.limit, std::uint64_t{1} << 30);
    QCOMPARE(group.used, std::uint64_t{(5 << 20) - 4096});
    QCOMPARE(group.shared, std::uint64_t{2 << 20});
    QVERIFY(group.warning.empty());
    // Nobody asked.
    const auto plain = survey_host(made.host.options());
    QVERIFY(plain.has_value());
    QVERIFY(only(*plain).payer.group.empty() && only(*plain).payer.reason.empty());
    QVERIFY(plain->groups.empty());
}

void Payers::what_is_not_told_has_a_reason_data() {
    QTest::addColumn<int>("version");
    QTest::addColumn<quint64>("entry");
    QTest::addColumn<quint64>("charged");  // 1: the group
    QTest::addColumn<QString>("reason");
    const auto one = static_cast<int>(Version::one);
    QTest::newRow("a hole") << one << quint64{0} << quint64{1} << "has a page of it mapped";
    QTest::newRow("in swap") << one << quint64{1ULL << 62 | 5} << quint64{1}
                             << "has a page of it mapped";
    QTest::newRow("a private copy")
        << one << quint64{1ULL << 63 | 5} << quint64{1} << "has a page of it mapped";
    QTest::newRow("the number is hidden")
        << one << quint64{kMapped} << quint64{1} << "has a page of it mapped";
    QTest::newRow("charged to none") << one << quint64{kMapped | 5} << quint64{0} << "no control";
    QTest::newRow("another tree") << one << quint64{kMapped | 5} << quint64{987'654'321'012}
                                  << "not visible from here (number 987654321012)";
    QTest::newRow("no groups") << static_cast<int>(Version::none) << quint64{kMapped | 5}
                               << quint64{1} << "not mounted";
}

void Payers::what_is_not_told_has_a_reason() {
    QFETCH(int, version);
    QFETCH(quint64, entry);
    QFETCH(quint64, charged);
    QFETCH(QString, reason);
    const MadeGroups made(static_cast<Version>(version));
    made.group("/batch", 1 << 20, 1 << 20);
    made.maps(made.host.segment("buffer"), entry, charged == 1 ? made.inode("/batch") : charged);
    const auto survey = survey_host(with_payers(made.host));
    QVERIFY(survey.has_value());
    const auto& payer = only(*survey).payer;
    QVERIFY(payer.group.empty() && payer.known_by == SegmentPayer::KnownBy::nothing);
    QVERIFY2(QString::fromStdString(payer.reason).contains(reason), payer.reason.c_str());
    QVERIFY(survey->groups.empty());
}

// The address shows another file when the process is asked again.
void Payers::a_page_that_changes_hands_meanwhile_names_nobody() {
    const MadeGroups made(Version::one);
    made.group("/batch", 1 << 20, 1 << 20);
    made.maps(made.host.segment("buffer"), kMapped | 5, made.inode("/batch"));
    const auto link = made.host.path("proc/7/map_files/7f0000000000-7f0000001000");
    QVERIFY(QFile::remove(link));
    made.host.write("elsewhere", "x");
    QVERIFY(QFile::link(made.host.path("elsewhere"), link));
    const auto survey = survey_host(with_payers(made.host));
    QVERIFY(survey.has_value());
    QVERIFY(only(*survey).payer.group.empty());
}

void Payers::what_was_known_while_it_was_mapped_is_remembered() {
    const MadeGroups made(Version::two);
    made.group("/batch", 1 << 20, 1 << 20);
    const auto file = made.host.segment("buffer");
    made.maps(file, kMapped | 5, made.inode("/batch"));
    SegmentMemory memory;
    const auto first = survey_host(with_payers(made.host, &memory));
    QVERIFY(first.has_value());
    QVERIFY(memory.follow(*first).empty());
    QCOMPARE(memory.segments().size(), std::size_t{1});
    QCOMPARE(memory.segments().begin()->second.group, "/batch");
    QCOMPARE(memory.segments().begin()->second.program, "worker");

    QVERIFY(QDir(made.host.path("proc/7")).removeRecursively());
    const auto survey = survey_host(with_payers(made.host, &memory));
    QVERIFY(survey.has_value());
    QVERIFY(only(*survey).users.empty());
    QCOMPARE(only(*survey).payer.group, "/batch");
    QVERIFY(only(*survey).payer.known_by == SegmentPayer::KnownBy::earlier);
    QCOMPARE(survey->groups.size(), std::size_t{1});
    // Another file of that name is another segment.
    QVERIFY(QFile::remove(file));
    made.host.segment("another");
    made.host.segment("buffer");
    const auto later = survey_host(with_payers(made.host, &memory));
    QVERIFY(later.has_value());
    for (const auto& segment : later->segments) QVERIFY(segment.payer.group.empty());
}

void Payers::a_removed_group_leaves_its_pages_to_the_one_above() {
    const MadeGroups made(Version::one);
    made.group("/batch/job", 1 << 20, 1 << 20);
    made.maps(made.host.segment("buffer"), kMapped | 5, made.inode("/batch/job"));
    SegmentMemory memory;
    const auto first = survey_host(with_payers(made.host, &memory));
    QVERIFY(first.has_value());
    QVERIFY(memory.follow(*first).empty());
    QVERIFY(QDir(made.host.path("proc/7")).removeRecursively());
    QVERIFY(QDir(made.host.path(made.point() + "/batch/job")).removeRecursively());
    const auto survey = survey_host(with_payers(made.host, &memory));
    QVERIFY(survey.has_value());
    QCOMPARE(only(*survey).payer.group, "/batch");
}

void Payers::the_nearest_limit_counts() {
    const MadeGroups made(Version::two);
    made.group("/pods", 1000ULL << 20, 900ULL << 20);
    made.group("/pods/one", 100ULL << 20, 50ULL << 20);
    made.maps(made.host.segment("buffer"), kMapped | 5, made.inode("/pods/one"));
    const auto survey = survey_host(with_payers(made.host));
    QVERIFY(survey.has_value());
    QCOMPARE(survey->groups.size(), std::size_t{1});
    QCOMPARE(survey->groups.front().limited, "/pods");
    QCOMPARE(survey->groups.front().shared, 900ULL << 20);
    // It is nearly full, but nothing in it was left over.
    QVERIFY(survey->groups.front().warning.empty());
}

QTEST_GUILESS_MAIN(Payers)
#include "tst_payers.moc"
