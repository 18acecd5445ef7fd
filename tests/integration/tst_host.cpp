// SPDX-License-Identifier: MIT
// The survey of the host and its clean-up, on segments that real programs left. Only segments of
// this test's own are ever named; without names it cleans in a namespace of its own alone.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include <QCoreApplication>
#include <QFile>
#include <QStandardPaths>
#include <QtTest>

#include <csignal>
#include <cstdio>
#include <iostream>
#include <string>

#include "host_view.h"
#include "service_fixture.h"
#include "survey/host_survey.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

namespace {

// Users that nothing else on the host runs as.
constexpr int kLoner = 64'321, kOther = 64'322;

const char* const kPython = "/usr/bin/python3";
const char* const kSharing =
    "from multiprocessing import shared_memory, resource_tracker\n"
    "memory = shared_memory.SharedMemory(create=True, size=1 << 20)\n"
    "memory.buf[:4] = b'left'\n"
    "print(memory.name.lstrip('/'), resource_tracker._resource_tracker._pid, flush=True)\n"
    "input()\n";

bool is_root() {
    return ::geteuid() == 0;
}

QString own_program() {
    return QCoreApplication::applicationFilePath();
}

// `words` as another user, if we may; else as ours.
std::unique_ptr<Peer> as_user(int uid, QStringList words, const QProcessEnvironment& environment) {
    if (is_root())
        words =
            QStringList{
                "setpriv",       "--reuid", QString::number(uid), "--regid", QString::number(uid),
                "--clear-groups"} +
            words;
    return std::make_unique<Peer>(words.takeFirst(), words, environment);
}

bool may_unshare(const QString& what) {
    QProcess attempt;
    attempt.start("unshare", {what, "true"});
    return attempt.waitForFinished(kPatienceMs) && attempt.exitStatus() == QProcess::NormalExit &&
           attempt.exitCode() == 0;
}

// The other processes of this test: each says what it has, and then waits for a line.
int hold_system_v() {
    const int id = ::shmget(IPC_PRIVATE, 1 << 16, IPC_CREAT | 0600);
    auto* const data = static_cast<char*>(::shmat(id, nullptr, 0));
    std::fill(data, data + (1 << 16), 'x');
    std::cout << id << std::endl;
    std::string line;
    std::getline(std::cin, line);
    return 0;
}

int map_file(const char* path) {
    const int file = ::open(path, O_RDONLY | O_CLOEXEC);
    const bool mapped = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file, 0) != MAP_FAILED;
    ::close(file);
    std::cout << (mapped ? "mapped" : "failed") << std::endl;
    std::string line;
    std::getline(std::cin, line);
    return 0;
}

// In namespaces of its own; answers whether its segments are still there.
int stay_inside() {
    const int file = ::open("/dev/shm/inner", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const int id = ::shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
    if (file < 0 || ::ftruncate(file, 4096) != 0 || id < 0) return 1;
    ::close(file);
    std::cout << id << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        struct shmid_ds state {};
        const bool there = ::access("/dev/shm/inner", F_OK) == 0;
        const bool table = ::shmctl(id, IPC_STAT, &state) == 0;
        std::cout << (there ? "file " : "- ") << (table ? "table" : "-") << std::endl;
    }
    return 0;
}

}  // namespace

class HostSurveyTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void what_a_killed_python_program_left_is_found_explained_and_removed();
    void what_a_killed_system_v_program_left_is_found_explained_and_removed();
    void a_mapped_segment_is_refused_even_when_it_is_named();
    void a_segment_that_was_exchanged_meanwhile_is_left_alone();
    void without_names_only_what_is_certain_goes();
    void another_namespace_is_looked_into_and_cleaned_by_name();
    void a_user_without_rights_claims_nothing_he_could_not_see();
    void the_kernel_is_asked_where_processes_may_not_be_looked_at();
    void nothing_is_removed_without_a_terminal_or_consent();
    void wrong_names_are_told();

  private:
    QString made(const QString& name) const {
        QFile file(service_.host().path("segments/" + name));
        if (!file.open(QIODevice::WriteOnly)) qFatal("cannot make a segment");
        file.write(QByteArray(8192, 'x'));
        return file.fileName();
    }
    // The survey, or cleaning, of the test's own directory.
    QStringList here(QStringList words) const {
        return words << "--shm-path" << service_.host().path("segments");
    }
    QJsonObject look(const QStringList& words = {}) const {
        return service_.cli_json(QStringList{"host"} + words);
    }
    QProcessEnvironment environment() const { return service_.host().environment("test"); }

    Service service_;
};

void HostSurveyTest::initTestCase() {
    // Other users have to get through to the segments.
    QVERIFY(::chmod(qPrintable(service_.host().path({})), 0711) == 0);
    QVERIFY(::chmod(qPrintable(service_.host().path("segments")), 0777) == 0);
}

void HostSurveyTest::what_a_killed_python_program_left_is_found_explained_and_removed() {
    if (!QFile::exists(kPython)) QSKIP("there is no Python");
    const auto program = as_user(kLoner, {kPython, "-c", kSharing}, environment());
    const auto said = program->line().split(' ');
    QCOMPARE(said.size(), 2);
    const auto& name = said.front();
    const auto file = "/dev/shm/" + name;

    const auto used = segment_named(look(), name);
    QCOMPARE(used["verdict"].toString(), "in_use");
    QCOMPARE(used["program"].toString(), "Python multiprocessing");
    QVERIFY(used_by(used, program->pid()));
    QCOMPARE(service_.cli({"host", "clean", name, "--yes"}).status, 1);
    QVERIFY(QFile::exists(file));

    // Both at once, as when a session crashes; alone the tracker would tidy up.
    QVERIFY(::kill(said.back().toInt(), SIGKILL) == 0);
    program->end(SIGKILL);
    QVERIFY(QFile::exists(file));
    auto left = segment_named(look(), name);
    // What was killed counts as living until the kernel has taken it apart.
    QTRY_VERIFY_WITH_TIMEOUT(
        (left = segment_named(look(), name))["verdict"].toString() == "left_over" || !is_root(),
        kPatienceMs);
    QVERIFY(left["users"].toArray().isEmpty());
    QVERIFY(left["resident"].toInteger() > 0);
    if (is_root()) {
        QVERIFY2(left["verdict"].toString() == "left_over", qPrintable(evidence_of(left)));
        QVERIFY(left["confidence"].toInt() < kCertain);  // it is only seconds old
        QVERIFY2(evidence_of(left).contains("Python"), qPrintable(evidence_of(left)));
    }
    const auto rehearsed = service_.cli({"host", "clean", name, "--dry-run"});
    QCOMPARE(rehearsed.status, 0);
    QVERIFY2(rehearsed.out.contains("would remove 1 segment"), qPrintable(rehearsed.out));
    QVERIFY(QFile::exists(file));
    const auto cleaned = service_.cli_json({"host", "clean", name, "--yes"});
    QCOMPARE(cleaned["removed"].toInt(), 1);
    QVERIFY(cleaned["bytes_freed"].toInteger() > 0);
    QVERIFY(!QFile::exists(file));
}

void HostSurveyTest::what_a_killed_system_v_program_left_is_found_explained_and_removed() {
    Peer program(own_program(), {"--hold-system-v"}, environment());
    const auto id = program.line().toInt();
    const auto name = QString("sysv:%1").arg(id);
    const auto pid = program.pid();

    const auto used = segment_named(look(), name);
    QCOMPARE(used["verdict"].toString(), "in_use");
    QVERIFY(used_by(used, pid));
    const auto refused = service_.cli({"host", "clean", name, "--yes"});
    QCOMPARE(refused.status, 1);
    QVERIFY2(refused.out.contains(QString::number(pid)), qPrintable(refused.out));

    program.end(SIGKILL);
    const auto left = segment_named(look(), name);
    QVERIFY2(left["verdict"].toString() == "left_over", qPrintable(evidence_of(left)));
    const auto creator = left["creator"].toObject();
    QCOMPARE(creator["pid"].toInteger(), pid);
    QCOMPARE(creator["life"].toString(), "exited");
    QCOMPARE(creator["known_by"].toString(), "kernel");
    QVERIFY(evidence_of(left).contains(QString::number(pid)));
    const auto details = service_.cli({"host", name});
    QVERIFY2(details.out.contains("because"), qPrintable(details.out));

    QCOMPARE(service_.cli({"host", "clean", name, "--dry-run"}).status, 0);
    struct shmid_ds state {};
    QVERIFY(::shmctl(id, IPC_STAT, &state) == 0);
    QCOMPARE(service_.cli({"host", "clean", name, "--yes"}).status, 0);
    QVERIFY(::shmctl(id, IPC_STAT, &state) != 0);
}

void HostSurveyTest::a_mapped_segment_is_refused_even_when_it_is_named() {
    const auto file = made("torch_999999999_2_3");
    Peer holder(own_program(), {"--map", file}, environment());
    QCOMPARE(holder.line(), "mapped");
    const auto refused = service_.cli(here({"host", "clean", "torch_999999999_2_3", "--yes"}));
    QCOMPARE(refused.status, 1);
    QVERIFY2(refused.out.contains(QString::number(holder.pid())), qPrintable(refused.out));
    QVERIFY(QFile::exists(file));
    holder.end();
    QCOMPARE(service_.cli(here({"host", "clean", "torch_999999999_2_3", "--yes"})).status, 0);
    QVERIFY(!QFile::exists(file));
}

void HostSurveyTest::a_segment_that_was_exchanged_meanwhile_is_left_alone() {
    const auto file = made("exchanged");
    const SurveyOptions options{service_.host().path("segments").toStdString(), {}};
    const auto before = survey_host(options);
    QVERIFY(before.has_value());
    std::vector<HostSegment> chosen;
    for (const auto& segment : before->segments)
        if (segment.name == "exchanged") chosen.push_back(segment);
    QCOMPARE(chosen.size(), std::size_t{1});
    QVERIFY(::rename(qPrintable(made("another")), qPrintable(file)) == 0);
    const auto done = clean_segments(chosen, {}, options);
    QVERIFY(done.has_value());
    QCOMPARE(done->size(), std::size_t{1});
    QVERIFY(!done->front().removed);
    QVERIFY(QFile::exists(file));
    QVERIFY(QFile::remove(file));
}

void HostSurveyTest::without_names_only_what_is_certain_goes() {
    if (!may_unshare("-i")) QSKIP("no namespaces of one's own here");
    const auto file = made("torch_999999999_1_1");  // no process can have this number
    QStringList words{"-i", QStringLiteral(SNAKEPIT_BIN_DIR) + "/snakepit-shm"};
    Peer cleaner("unshare", words << here({"host", "clean", "--yes", "--json"}), environment());
    const auto done = cleaner.wait();
    QCOMPARE(done.status, 0);
    QCOMPARE(done.json()["items"].toArray().size(), 0);  // all of it is too recent
    QVERIFY(QFile::exists(file));
    const auto seen = segment_named(look(here({})), "torch_999999999_1_1");
    QCOMPARE(seen["verdict"].toString(), "left_over");
    QVERIFY2(evidence_of(seen).contains("too recent"), qPrintable(evidence_of(seen)));
    QVERIFY(QFile::remove(file));
}

void HostSurveyTest::another_namespace_is_looked_into_and_cleaned_by_name() {
    if (!is_root() || !may_unshare("-im")) QSKIP("only an administrator looks into namespaces");
    Peer inside(
        "unshare",
        {"-im", "sh", "-c", "mount -t tmpfs tmpfs /dev/shm && exec \"$0\" --inside", own_program()},
        environment());
    const auto id = inside.line();
    QVERIFY(!id.isEmpty());
    const auto survey = look();
    const auto own = [&](const QString& label) {
        const auto found = segments_in(survey, [&](const QJsonObject& segment) {
            return segment["label"].toString() == label && !segment["namespace"].isNull() &&
                   segment["container"].toString().contains(QString::number(inside.pid()));
        });
        return found.isEmpty() ? QJsonObject() : found.front();
    };
    const auto file = own("inner"), table = own("sysv:" + id);
    QVERIFY(!file.isEmpty());
    QVERIFY(!table.isEmpty());
    QCOMPARE(table["creator"].toObject()["pid"].toInteger(), inside.pid());
    QVERIFY(file["name"].toString().startsWith('@'));
    QCOMPARE(inside.ask("there?"), "file table");
    const QStringList clean{"host", "clean", file["name"].toString(), table["name"].toString(),
                            "--yes"};
    QCOMPARE(service_.cli(clean).status, 1);  // the creator of one of them is running
    QCOMPARE(inside.ask("there?"), "- table");
    const auto cleaned =
        service_.cli({"host", "clean", table["name"].toString(), "--yes", "--force"});
    QVERIFY2(cleaned.status == 0, qPrintable(cleaned.out + cleaned.err));
    QCOMPARE(inside.ask("there?"), "- -");
}

void HostSurveyTest::a_user_without_rights_claims_nothing_he_could_not_see() {
    if (!is_root()) QSKIP("needs root, to become somebody else");
    const auto file = made("torch_999999999_1_2");
    const auto looker = as_user(
        kOther,
        QStringList{QStringLiteral(SNAKEPIT_BIN_DIR) + "/snakepit-shm"} + here({"host", "--json"}),
        environment());
    const auto looked = looker->wait();
    if (looked.status == 127 || looked.status == 126) QSKIP("others may not run this build");
    const auto survey = looked.json();
    QVERIFY(survey["unreadable_processes"].toInt() > 0);
    QVERIFY(!survey["limits"].toArray().isEmpty());
    const auto seen = segment_named(survey, "torch_999999999_1_2");
    QCOMPARE(seen["users_complete"].toBool(true), false);
    QVERIFY(seen["confidence"].toInt() < kCertain);
    const auto cleaner = as_user(kOther,
                                 QStringList{QStringLiteral(SNAKEPIT_BIN_DIR) + "/snakepit-shm"} +
                                     here({"host", "clean", "torch_999999999_1_2", "--yes"}),
                                 environment());
    QCOMPARE(cleaner->wait().status, 1);
    QVERIFY(QFile::exists(file));
    QVERIFY(QFile::remove(file));
}

// A user's own file, mapped by a process that user may not look at.
void HostSurveyTest::the_kernel_is_asked_where_processes_may_not_be_looked_at() {
    if (!is_root()) QSKIP("needs root, to become somebody else");
    const auto file = made("theirs");
    QVERIFY(::chown(qPrintable(file), kOther, kOther) == 0);
    Peer holder(own_program(), {"--map", file}, environment());
    QCOMPARE(holder.line(), "mapped");
    const auto clean = [&] {
        const auto cleaner =
            as_user(kOther,
                    QStringList{QStringLiteral(SNAKEPIT_BIN_DIR) + "/snakepit-shm"} +
                        here({"host", "clean", "theirs", "--yes"}),
                    environment());
        return cleaner->wait();
    };
    const auto refused = clean();
    if (refused.status == 127 || refused.status == 126) QSKIP("others may not run this build");
    QCOMPARE(refused.status, 1);
    QVERIFY2(refused.out.contains("kernel"), qPrintable(refused.out + refused.err));
    QVERIFY(QFile::exists(file));
    holder.end();
    const auto cleaned = clean();
    QVERIFY2(cleaned.status == 0, qPrintable(cleaned.out + cleaned.err));
    QVERIFY(!QFile::exists(file));
}

void HostSurveyTest::nothing_is_removed_without_a_terminal_or_consent() {
    const auto file = made("asked_for");
    const auto refused = service_.cli(here({"host", "clean", "asked_for"}));
    QCOMPARE(refused.status, 2);
    QVERIFY2(refused.err.contains("--yes"), qPrintable(refused.err));
    QVERIFY(QFile::exists(file));
    QVERIFY(QFile::remove(file));
}

void HostSurveyTest::wrong_names_are_told() {
    QCOMPARE(service_.cli(here({"host", "no_such_segment"})).status, 1);
    const auto cleaned = service_.cli(here({"host", "clean", "no_such_segment", "--yes"}));
    QCOMPARE(cleaned.status, 1);
    QVERIFY(cleaned.out.contains("no segment has this name"));
    QCOMPARE(service_.cli(here({"host", "--verdict", "nonsense"})).status, 2);
    QCOMPARE(service_.cli({"host", "--shm-path", "/no/such/directory"}).status, 1);
}

int main(int argc, char** argv) {
    const std::string role = argc > 1 ? argv[1] : "";
    if (role == "--hold-system-v") return hold_system_v();
    if (role == "--map") return map_file(argv[2]);
    if (role == "--inside") return stay_inside();
    QCoreApplication app(argc, argv);
    HostSurveyTest test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_host.moc"
