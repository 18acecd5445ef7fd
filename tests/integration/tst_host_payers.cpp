// SPDX-License-Identifier: MIT
// Who pays for segments, with real control groups of version 1; and that looking changes nothing.
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include <QCoreApplication>
#include <QtTest>

#include <csignal>
#include <cstring>
#include <iostream>
#include <string>

#include "host_view.h"
#include "memory_group.h"
#include "service_fixture.h"
#include "survey/host_survey.h"
#include "survey/segment_memory.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr int kOther = 64'323;  // a user that nothing else on the host runs as

const QString kId = QString("0123456789abcdef").repeated(4);

bool is_root() {
    return ::geteuid() == 0;
}

QString own_program() {
    return QCoreApplication::applicationFilePath();
}

void wait_for_a_line() {
    std::string line;
    std::getline(std::cin, line);
}

// The other processes of this test. Each waits until it was put into its group.
// One page of a file of 64 pages, the last but one.
int write_a_page(const char* path) {
    wait_for_a_line();
    const int file = ::open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    constexpr std::size_t kSize = 64 * 4096;
    if (file < 0 || ::ftruncate(file, kSize) != 0) return 1;
    auto* const data =
        static_cast<char*>(::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    if (data == MAP_FAILED) return 1;
    data[62 * 4096] = 'x';
    std::cout << "written" << std::endl;
    wait_for_a_line();
    return 0;
}

int fill_without_a_file(std::size_t size) {
    wait_for_a_line();
    const int id = ::shmget(IPC_PRIVATE, size, IPC_CREAT | 0600);
    const int file = ::memfd_create("payer", MFD_CLOEXEC);
    if (id < 0 || file < 0 || ::ftruncate(file, 8192) != 0) return 1;
    auto* const attached = static_cast<char*>(::shmat(id, nullptr, 0));
    auto* const mapped =
        static_cast<char*>(::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    if (mapped == MAP_FAILED) return 1;
    std::memset(attached, 1, size);
    mapped[4096] = 'x';
    std::cout << id << std::endl;
    wait_for_a_line();
    return 0;
}

// A survey as another user, with payers and without; whether it says the same.
int compare_as_other(const char* directory) {
    if (::setresgid(kOther, kOther, kOther) != 0 || ::setresuid(kOther, kOther, kOther) != 0)
        return 1;
    SurveyOptions options{.shm_path = directory};
    const auto plain = survey_host(options);
    options.payers = true;
    const auto asked = survey_host(options);
    if (!plain || !asked) return 1;
    std::size_t told = 0, unexplained = 0;
    for (const auto& segment : asked->segments) {
        if (!segment.payer.group.empty()) ++told;
        if (segment.payer.reason.empty()) ++unexplained;
    }
    const auto find = [&](const HostSurvey& survey) -> const HostSegment* {
        for (const auto& segment : survey.segments)
            if (segment.name == "paid") return &segment;
        return nullptr;
    };
    const auto *before = find(*plain), *after = find(*asked);
    if (!before || !after) return 1;
    const bool same = before->resident == after->resident && before->touched == after->touched &&
                      before->users.size() == after->users.size() &&
                      before->verdict == after->verdict &&
                      before->evidence.size() == after->evidence.size();
    std::cout << told << " " << unexplained << " " << asked->groups.size() << " "
              << (same ? "same" : "different") << " " << after->payer.reason << std::endl;
    return 0;
}

const HostSegment* find(const HostSurvey& survey, const QString& name) {
    for (const auto& segment : survey.segments)
        if (QString::fromStdString(segment.name) == name) return &segment;
    return nullptr;
}

const PayingGroup* group_of(const HostSurvey& survey, const QString& path) {
    for (const auto& group : survey.groups)
        if (QString::fromStdString(group.group) == path) return &group;
    return nullptr;
}

// Where a file has data, as lseek() tells it.
QList<qint64> data_of(const QString& path) {
    const int file = ::open(qPrintable(path), O_RDONLY | O_CLOEXEC | O_NOATIME);
    QList<qint64> out;
    for (off_t at = 0; (at = ::lseek(file, at, SEEK_DATA)) >= 0;) {
        out += at;
        at = ::lseek(file, at, SEEK_HOLE);
        out += at;
    }
    ::close(file);
    return out;
}

}  // namespace

class HostPayers : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup();
    void a_file_is_paid_by_the_group_of_who_wrote_it_and_looking_changes_nothing();
    void memory_without_a_file_is_paid_too();
    void the_command_line_names_containers();
    void a_left_over_segment_that_fills_a_limit_is_the_reason();
    void a_user_without_rights_learns_no_more_than_before();

  private:
    std::unique_ptr<Peer> in_group(const QStringList& words, const MemoryGroup& group) const {
        auto peer = std::make_unique<Peer>(own_program(), words, host_->environment("test"));
        if (!group.add(peer->pid())) qFatal("cannot put a process into a group");
        return peer;
    }
    SurveyOptions options(const SegmentMemory* memory = nullptr) const {
        SurveyOptions out{.shm_path = host_->path("segments").toStdString()};
        out.payers = true;
        out.memory = memory;
        return out;
    }

    std::shared_ptr<TestHost> host_;
    std::unique_ptr<MemoryGroup> above_, group_;
};

void HostPayers::init() {
    if (!is_root()) QSKIP("only root can see who pays");
    if (!QFile::exists("/proc/kpagecgroup")) QSKIP("this kernel does not tell who pays");
    host_ = std::make_shared<TestHost>();
    QVERIFY(::chmod(qPrintable(host_->path({})), 0711) == 0);
    QVERIFY(::chmod(qPrintable(host_->path("segments")), 0777) == 0);
    above_ = std::make_unique<MemoryGroup>("payers", 256 * kMiB);
    group_ = std::make_unique<MemoryGroup>(*above_, "docker-" + kId + ".scope", 64 * kMiB);
    if (!group_->valid()) QSKIP("no control groups of version 1 can be made here");
}

void HostPayers::cleanup() {
    host_.reset();  // its files are charged to the groups
    group_.reset();
    above_.reset();
}

void HostPayers::a_file_is_paid_by_the_group_of_who_wrote_it_and_looking_changes_nothing() {
    const auto path = host_->path("segments/paid");
    const auto writer = in_group({"--write-a-page", path}, *group_);
    QCOMPARE(writer->ask("go"), "written");
    struct stat before {
    }, after{};
    QCOMPARE(::stat(qPrintable(path), &before), 0);
    const auto data = data_of(path);
    QCOMPARE(data, (QList<qint64>{62 * 4096, 63 * 4096}));
    const int events = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    QVERIFY(::inotify_add_watch(events, qPrintable(path), IN_ALL_EVENTS) >= 0);

    const auto survey = survey_host(options());
    QVERIFY(survey.has_value());
    const auto* segment = find(*survey, "paid");
    QVERIFY(segment);
    QVERIFY2(segment->payer.reason.empty(), segment->payer.reason.c_str());
    QCOMPARE(QString::fromStdString(segment->payer.group), group_->name());
    QCOMPARE(QString::fromStdString(segment->payer.name), "container " + kId.left(12));
    QVERIFY(segment->payer.kind == GroupKind::container);
    QVERIFY(segment->payer.known_by == SegmentPayer::KnownBy::page);

    // Nobody opened, read or closed it, and its holes are holes.
    char buffer[512];
    QCOMPARE(::read(events, buffer, sizeof buffer), ssize_t{-1});
    ::close(events);
    QCOMPARE(::stat(qPrintable(path), &after), 0);
    QCOMPARE(after.st_blocks, before.st_blocks);
    QCOMPARE(after.st_blocks, blkcnt_t{8});
    QCOMPARE(std::memcmp(&after.st_atim, &before.st_atim, sizeof after.st_atim), 0);
    QCOMPARE(std::memcmp(&after.st_mtim, &before.st_mtim, sizeof after.st_mtim), 0);
    QCOMPARE(std::memcmp(&after.st_ctim, &before.st_ctim, sizeof after.st_ctim), 0);
    QCOMPARE(data_of(path), data);
}

void HostPayers::memory_without_a_file_is_paid_too() {
    const auto writer = in_group({"--without-a-file", "8388608"}, *group_);
    const auto id = writer->ask("go");
    struct shmid_ds before {
    }, after{};
    QCOMPARE(::shmctl(id.toInt(), IPC_STAT, &before), 0);
    const auto survey = survey_host(options());
    QVERIFY(survey.has_value());
    const auto* table = find(*survey, "sysv:" + id);
    QVERIFY(table);
    QCOMPARE(QString::fromStdString(table->payer.group), group_->name());
    bool found = false;
    for (const auto& segment : survey->segments)
        if (segment.label == "memfd:payer" && segment.users.size() == 1 &&
            segment.users.front().pid == writer->pid()) {
            found = true;
            QCOMPARE(QString::fromStdString(segment.payer.group), group_->name());
        }
    QVERIFY(found);
    QCOMPARE(::shmctl(id.toInt(), IPC_STAT, &after), 0);
    QCOMPARE(std::memcmp(&before, &after, sizeof after), 0);
    const auto* group = group_of(*survey, group_->name());
    QVERIFY(group);
    QCOMPARE(group->segments, std::uint64_t{2});
    QCOMPARE(group->bytes, 8 * kMiB + 4096);
    QCOMPARE(group->limit, 64 * kMiB);
    QCOMPARE(QString::fromStdString(group->limited), group_->name());
    // The kernel counts in batches.
    QVERIFY(group->shared > 4 * kMiB && group->used > 4 * kMiB);
    QVERIFY(::shmctl(id.toInt(), IPC_RMID, nullptr) == 0);
}

void HostPayers::the_command_line_names_containers() {
    const auto path = host_->path("segments/paid");
    const auto writer = in_group({"--write-a-page", path}, *group_);
    QCOMPARE(writer->ask("go"), "written");
    const Service service(host_);
    const QStringList words{"host", "--shm-path", host_->path("segments")};
    const auto survey = service.cli_json(words);
    const auto payer = segment_named(survey, "paid")["payer"].toObject();
    QCOMPARE(payer["group"].toString(), group_->name());
    QCOMPARE(payer["kind"].toString(), "container");
    QCOMPARE(payer["name"].toString(), "container " + kId.left(12));
    QCOMPARE(payer["known_by"].toString(), "page");
    QVERIFY(payer["reason"].isNull());
    bool found = false;
    for (const auto& value : survey["groups"].toArray()) {
        const auto group = value.toObject();
        if (group["group"].toString() != group_->name()) continue;
        found = true;
        QCOMPARE(group["bytes"].toInteger(), 4096);
        QCOMPARE(group["limit"].toInteger(), static_cast<qint64>(64 * kMiB));
    }
    QVERIFY(found);
    const auto details = service.cli(words + QStringList{"paid"});
    QVERIFY2(details.out.contains("paid by    container " + kId.left(12)), qPrintable(details.out));
    const auto summary = service.cli(words);
    QVERIFY2(summary.out.contains("paid by: "), qPrintable(summary.out));
}

void HostPayers::a_left_over_segment_that_fills_a_limit_is_the_reason() {
    SegmentMemory memory;
    const auto writer = in_group({"--without-a-file", QString::number(56 * kMiB)}, *group_);
    const auto id = writer->ask("go");
    auto survey = survey_host(options(&memory));
    QVERIFY(survey.has_value());
    (void)memory.follow(*survey);
    QVERIFY(group_of(*survey, group_->name()));
    QVERIFY(group_of(*survey, group_->name())->warning.empty());  // it is in use
    writer->end(SIGKILL);
    const HostSegment* left = nullptr;
    QTRY_VERIFY_WITH_TIMEOUT((survey = survey_host(options(&memory))).has_value() &&
                                 (left = find(*survey, "sysv:" + id)) != nullptr &&
                                 left->verdict == SegmentVerdict::left_over,
                             kPatienceMs);
    QCOMPARE(QString::fromStdString(left->payer.group), group_->name());
    QVERIFY(left->payer.known_by == SegmentPayer::KnownBy::earlier);
    const auto* group = group_of(*survey, group_->name());
    QVERIFY(group);
    QCOMPARE(group->left_over, std::uint64_t{1});
    QCOMPARE(group->bytes_left, 56 * kMiB);
    // What else the process used was given back: 56 MiB of 64 are not enough to be the reason.
    QVERIFY2(group->warning.empty(), group->warning.c_str());
    const auto second = in_group({"--without-a-file", QString::number(4 * kMiB)}, *group_);
    const auto other = second->ask("go");
    survey = survey_host(options(&memory));
    QVERIFY(survey.has_value());
    group = group_of(*survey, group_->name());
    QVERIFY(group);
    const auto warning = QString::fromStdString(group->warning);
    QVERIFY2(warning.startsWith("container " + kId.left(12) + " uses 6") &&
                 warning.contains("of its limit of 64 MiB; 56 MiB of that are 1 left-over segment: "
                                  "sysv:" +
                                  id + "."),
             qPrintable(warning));
    // Without the memory it is not told, and nothing is attached to find out.
    const auto fresh = survey_host(options());
    QVERIFY(fresh.has_value());
    QVERIFY(find(*fresh, "sysv:" + id)->payer.group.empty());
    QVERIFY(find(*fresh, "sysv:" + id)->payer.reason.find("No process has it mapped") == 0);
    QVERIFY(::shmctl(id.toInt(), IPC_RMID, nullptr) == 0);
    QVERIFY(::shmctl(other.toInt(), IPC_RMID, nullptr) == 0);
}

void HostPayers::a_user_without_rights_learns_no_more_than_before() {
    const auto path = host_->path("segments/paid");
    const auto writer = in_group({"--write-a-page", path}, *group_);
    QCOMPARE(writer->ask("go"), "written");
    Peer other(own_program(), {"--as-other", host_->path("segments")}, host_->environment("test"));
    const auto said = other.line();
    QVERIFY2(said.startsWith("0 0 0 same Only root can see who pays"), qPrintable(said));
}

int main(int argc, char** argv) {
    if (argc == 3 && std::strcmp(argv[1], "--write-a-page") == 0) return write_a_page(argv[2]);
    if (argc == 3 && std::strcmp(argv[1], "--without-a-file") == 0)
        return fill_without_a_file(std::stoul(argv[2]));
    if (argc == 3 && std::strcmp(argv[1], "--as-other") == 0) return compare_as_other(argv[2]);
    QCoreApplication app(argc, argv);
    HostPayers test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_host_payers.moc"
