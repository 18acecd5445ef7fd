// SPDX-License-Identifier: MIT
// Whose control group pays for regions, and that nobody is ended by the kernel for asking: with
// real groups of version 1. SNAKEPIT_MEMORY_SECONDS=60 makes the comparison of latencies long.
#include <sys/mount.h>
#include <unistd.h>

#include <QCoreApplication>
#include <QElapsedTimer>
#include <QJsonArray>
#include <QtTest>
#include <algorithm>
#include <csignal>
#include <cstring>

#include "allocator_program.h"
#include "client/manager_client.h"
#include "memory_group.h"
#include "raw_client.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

// Microseconds; of small regions that are allocated, mapped and deallocated.
struct Latency {
    double median = 0, p99 = 0;
};

}  // namespace

class MemoryCharge : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup();
    void a_manager_outlives_requests_its_group_has_no_memory_for_data();
    void a_manager_outlives_requests_its_group_has_no_memory_for();
    void pooled_regions_end_with_a_refusal_and_not_with_the_manager();
    void a_client_pays_for_its_own_segments();
    void a_client_is_refused_what_its_own_group_does_not_have();
    void a_client_pays_for_what_it_is_granted_ahead();
    void a_client_without_memory_is_granted_nothing_ahead();
    void a_client_killed_while_it_reserves_leaves_nothing();
    void a_manager_killed_while_the_client_reserves_loses_nothing();
    void laid_over_files_of_version_2_are_believed();
    void status_says_whose_limit_counts();
    void a_file_system_without_inodes_says_so();
    void failed_allocations_leave_nothing_data();
    void failed_allocations_leave_nothing();
    void a_limit_speaks_of_now();
    void refusals_by_a_group_cost_others_little_more_than_those_by_a_limit();

  private:
    std::unique_ptr<Peer> client(const QStringList& words) const;
    Latency measure(double seconds) const;
    Latency among(const QStringList& loop, const MemoryGroup* group, double seconds);
    int regions() const { return service_->cli_json({"list"})["regions"].toArray().size(); }
    QString first_region() const {
        return service_->cli_json({"list"})["regions"]
            .toArray()
            .at(0)
            .toObject()
            .value("id")
            .toString();
    }

    std::unique_ptr<Service> service_;
};

void MemoryCharge::init() {
    service_ = std::make_unique<Service>();
    QVERIFY(service_->start());
    service_->host().use_in_this_process(service_->instance());
}

void MemoryCharge::cleanup() {
    service_.reset();
}

std::unique_ptr<Peer> MemoryCharge::client(const QStringList& words) const {
    return std::make_unique<Peer>(QCoreApplication::applicationFilePath(), words,
                                  service_->host().environment(service_->instance()));
}

#define NEED_GROUP(group)                                                 \
    if (!(group).valid())                                                 \
    QSKIP(                                                                \
        "needs root and the memory controller of control groups version " \
        "1")

void MemoryCharge::a_manager_outlives_requests_its_group_has_no_memory_for_data() {
    QTest::addColumn<int>("other");
    QTest::addColumn<int>("level");
    QTest::newRow("posix") << 0 << 0;
    QTest::newRow("memfd") << 1 << 0;
    QTest::newRow("encrypted") << 0 << 1;
}

// A client of an earlier release does not reserve its memory itself: the manager does.
void MemoryCharge::a_manager_outlives_requests_its_group_has_no_memory_for() {
    QFETCH(const int, other);
    QFETCH(const int, level);
    const MemoryGroup group("manager", 200 * kMiB);
    NEED_GROUP(group);
    QVERIFY(group.add(service_->pid()));
    auto program = RawClient::open(
        (service_->host().runtime_dir(service_->instance()) + "/control.sock").toStdString(), true);
    QVERIFY(program.valid());
    for (int i = 0; i < 5; ++i) {
        wire::AllocateT call;
        call.size = 400 * kMiB;
        call.permission_other = static_cast<std::uint8_t>(other);
        call.security_level = static_cast<std::uint8_t>(level);
        call.exact_permissions = true;
        wire::RequestT request;
        request.call.Set(std::move(call));
        const auto reply = program.ask(std::move(request));
        QVERIFY(reply && reply->answer.AsFailure());
        const auto error = from_wire(*reply->answer.AsFailure());
        QCOMPARE(error.code, ErrorCode::no_space);
        const auto message = QString::fromStdString(error.message);
        QVERIFY2(message.contains("control group " + group.name()), qPrintable(message));
    }
    QVERIFY(service_->running());
    QCOMPARE(group.kills(), 0);
    QVERIFY(service_->host().segments().isEmpty());
}

void MemoryCharge::pooled_regions_end_with_a_refusal_and_not_with_the_manager() {
    const MemoryGroup group("pooled", 200 * kMiB);
    NEED_GROUP(group);
    QVERIFY(group.add(service_->pid()));
    auto program = ManagerClient::connect();
    QVERIFY(program);
    int made = 0;
    for (; made < 20; ++made) {
        const auto id = (*program)->allocate(40 * kMiB);
        if (id) continue;
        QCOMPARE(id.error().code, ErrorCode::no_space);
        break;
    }
    QVERIFY2(made >= 2 && made <= 4, qPrintable(QString::number(made)));
    QVERIFY((*program)->allocate(4096));  // the manager still has what it needs itself
    QCOMPARE(group.kills(), 0);
}

void MemoryCharge::a_client_pays_for_its_own_segments() {
    const MemoryGroup group("manager", 200 * kMiB), own("client", 1024 * kMiB);
    NEED_GROUP(group);
    QVERIFY(group.add(service_->pid()));
    for (const bool memfd : {false, true}) {
        const auto before = own.used();
        auto program = client(memfd ? QStringList{"allocate", "419430400", "memfd"}
                                    : QStringList{"allocate", "419430400"});
        QCOMPARE(program->line(), "ready");
        QVERIFY(own.add(program->pid()));
        QCOMPARE(program->ask("go"), "ok");
        QVERIFY(own.used() - before > 390 * kMiB);
        QVERIFY(group.used() < 60 * kMiB);
        QCOMPARE(regions(), 1);
        const auto id = first_region();
        program->end(SIGKILL);
        service_->cli({"deallocate", id});
        QTRY_COMPARE_WITH_TIMEOUT(regions(), 0, kPatienceMs);
    }
    QCOMPARE(group.kills() + own.kills(), 0);
}

void MemoryCharge::a_client_is_refused_what_its_own_group_does_not_have() {
    const MemoryGroup own("client", 64 * kMiB);
    NEED_GROUP(own);
    for (const bool memfd : {false, true}) {
        auto program = client(memfd ? QStringList{"allocate", "419430400", "memfd"}
                                    : QStringList{"allocate", "419430400"});
        QCOMPARE(program->line(), "ready");
        QVERIFY(own.add(program->pid()));
        const auto answer = program->ask("go");
        QVERIFY2(answer.startsWith("no_space: ") && answer.contains(own.name()),
                 qPrintable(answer));
        QCOMPARE(regions(), 0);
        QVERIFY(service_->host().segments().isEmpty());
    }
    QCOMPARE(own.kills(), 0);
}

// The manager pays for the first regions and for what it keeps reserved after them.
void MemoryCharge::a_client_pays_for_what_it_is_granted_ahead() {
    const MemoryGroup group("manager", 400 * kMiB), own("client", 400 * kMiB);
    NEED_GROUP(group);
    QVERIFY(group.add(service_->pid()));
    auto program = client({"ahead", "1048576"});
    QCOMPARE(program->line(), "ready");
    QVERIFY(own.add(program->pid()));
    const auto before = own.used();
    const auto kept = program->ask("go");
    QVERIFY2(kept.startsWith("shm_"), qPrintable(kept));
    const auto ahead = own.used() - before;
    QVERIFY2(ahead >= 4 * kMiB, qPrintable(QString::number(ahead)));
    // It may be anybody's now, and all of it is there.
    const auto other = ManagerClient::connect().value();
    const auto id = *RegionId::parse(kept.toStdString());
    const auto mapped = other->map(id, AccessMode::read_write);
    QVERIFY(mapped.has_value());
    const auto rest = own.used();
    std::memset(mapped->data, 1, mapped->size);
    QVERIFY(own.used() <= rest + kMiB / 4);
    QVERIFY(other->unmap(*mapped).has_value());
    // With the program its pages go back to the system.
    program->end(SIGKILL);
    service_->cli({"deallocate", kept});
    QTRY_VERIFY_WITH_TIMEOUT(own.used() < before + kMiB, kPatienceMs);
    QCOMPARE(group.kills() + own.kills(), 0);
}

void MemoryCharge::a_client_without_memory_is_granted_nothing_ahead() {
    const MemoryGroup own("client", 24 * kMiB);
    NEED_GROUP(own);
    auto program = client({"ahead", "4194304"});
    QCOMPARE(program->line(), "ready");
    QVERIFY(own.add(program->pid()));
    const auto kept = program->ask("go");
    QVERIFY2(kept.startsWith("shm_"), qPrintable(kept));
    QVERIFY(own.used() < 12 * kMiB);
    QCOMPARE(own.kills(), 0);
}

// The reservation of so much takes long enough to be hit at many places.
void MemoryCharge::a_client_killed_while_it_reserves_leaves_nothing() {
    for (int i = 0; i < 12; ++i) {
        auto program = client({"allocate", "268435456"});
        QCOMPARE(program->line(), "ready");
        program->say("go");
        QThread::usleep(static_cast<unsigned long>(i) * 2000);
        program->end(SIGKILL);
        if (regions() == 1) {  // it had the region before: its owner's end ends it
            const auto id = first_region();
            service_->cli({"deallocate", id});
        }
        QTRY_VERIFY_WITH_TIMEOUT(service_->host().segments().isEmpty(), kPatienceMs);
        QCOMPARE(regions(), 0);
    }
}

void MemoryCharge::a_manager_killed_while_the_client_reserves_loses_nothing() {
    for (int i = 0; i < 8; ++i) {
        auto program = client({"allocate", "268435456"});
        QCOMPARE(program->line(), "ready");
        program->say("go");
        QThread::usleep(static_cast<unsigned long>(i) * 3000);
        QVERIFY(service_->restart_after_kill());
        QCOMPARE(program->line(), "ok");
        QCOMPARE(regions(), 1);
        const auto id = first_region();
        program->end(SIGKILL);
        service_->cli({"deallocate", id});
        QTRY_VERIFY_WITH_TIMEOUT(service_->host().segments().isEmpty(), kPatienceMs);
        QTRY_COMPARE_WITH_TIMEOUT(regions(), 0, kPatienceMs);
    }
}

void MemoryCharge::laid_over_files_of_version_2_are_believed() {
    service_->stop();
    auto environment = service_->host().environment(service_->instance());
    const auto script = QString(R"(
        mount --make-rprivate / && mount -t tmpfs x /sys/fs/cgroup && cd /sys/fs/cgroup || exit 77
        echo 209715200 > memory.max; echo 104857600 > memory.current; echo inactive_file 0 > memory.stat
        cd /; SS="$1"; $SS serve > /dev/null & M=$!
        until $SS status > /dev/null 2>&1; do kill -0 $M || exit 1; sleep .05; done
        $SS allocate 400MiB 2>&1; $SS allocate --other ro 400MiB 2>&1
        kill $M; wait $M; exit 0)");
    QProcess shell;
    shell.setProcessEnvironment(environment);
    shell.start("unshare", {"-m", "bash", "-c", script, "bash",
                            QCoreApplication::applicationDirPath() + "/snakepit-shm"});
    QVERIFY(shell.waitForFinished(kPatienceMs));
    if (shell.exitCode() == 77 || ::geteuid() != 0) QSKIP("needs a mount namespace of its own");
    const auto said = QString::fromUtf8(shell.readAllStandardOutput());
    QCOMPARE(said.count("control group / has 94 MiB of memory left; 400 MiB requested"), 2);
}

void MemoryCharge::status_says_whose_limit_counts() {
    auto memory = service_->cli_json({"status"})["memory"].toObject();
    QVERIFY(!memory["charged_to"].toString().isEmpty());
    QVERIFY(memory["left"].toDouble() > 0);
    const MemoryGroup group("status", 200 * kMiB);
    NEED_GROUP(group);
    QVERIFY(group.add(service_->pid()));
    memory = service_->cli_json({"status"})["memory"].toObject();
    QCOMPARE(memory["charged_to"].toString(), "control group " + group.name());
    QCOMPARE(memory["limit"].toDouble(), 200.0 * kMiB);
    QVERIFY(memory["left"].toDouble() < 200.0 * kMiB);
    QVERIFY(service_->cli({"status", "--all"}).out.contains(group.name()));
}

void MemoryCharge::a_file_system_without_inodes_says_so() {
    service_->stop();
    const auto place = service_->host().path("segments");
    QDir().mkpath(place);
    if (::mount("tmpfs", place.toUtf8().constData(), "tmpfs", 0, "nr_inodes=4,size=64m") != 0)
        QSKIP("needs the right to mount a file system");
    QVERIFY(service_->start());
    Finished refused;
    for (int i = 0; i < 6 && refused.err.isEmpty(); ++i)
        refused = service_->cli({"allocate", "--placement", "dedicated", "8192", "--json"});
    const auto error = refused.error();
    const auto problems = service_->cli({"health"}).out;
    service_->stop();
    ::umount(place.toUtf8().constData());
    QCOMPARE(error["code"].toString(), "no_space");
    QVERIFY2(error["message"].toString().contains("has 0 of 4 inodes free"),
             qPrintable(error["message"].toString()));
    QVERIFY2(problems.contains("no inodes left"), qPrintable(problems));
}

void MemoryCharge::failed_allocations_leave_nothing_data() {
    QTest::addColumn<QString>("what");
    QTest::newRow("address space") << "space";
    QTest::newRow("descriptors") << "handles";
}

void MemoryCharge::failed_allocations_leave_nothing() {
    QFETCH(const QString, what);
    auto program = client({"starved", what});
    const auto said = program->line();
    QVERIFY2(said.startsWith("30 failed, 0 left"), qPrintable(said));
    QVERIFY(service_->cli_json({"list"})["regions"].toArray().isEmpty());
}

void MemoryCharge::a_limit_speaks_of_now() {
    service_->host().configure("max_regions = 40");
    QCOMPARE(service_->cli({"config", "reload"}).status, 0);
    auto program = ManagerClient::connect();
    QVERIFY(program);
    std::vector<RegionId> held;
    for (int i = 0; i < 40; ++i) {
        const auto id = (*program)->allocate(8192);
        QVERIFY2(id, id ? "" : id.error().sentence().c_str());
        held.push_back(*id);
    }
    const auto refused = (*program)->allocate(8192);
    QCOMPARE(type_of(refused.error().code), ErrorType::allocation_failed);
    const auto said = QString::fromStdString(refused.error().sentence());
    QVERIFY2(said.contains("every region is in use"), qPrintable(said));
    QVERIFY2(!said.contains("no-quarantine"), qPrintable(said));
}

Latency MemoryCharge::measure(double seconds) const {
    auto program = ManagerClient::connect();
    if (!program) return {};
    std::vector<double> micros;
    QElapsedTimer all;
    all.start();
    while (static_cast<double>(all.elapsed()) < seconds * 1000) {
        QElapsedTimer one;
        one.start();
        const auto id = (*program)->allocate(4096);
        if (id) (void)(*program)->deallocate(*id);
        micros.push_back(static_cast<double>(one.nsecsElapsed()) / 1000);
        QThread::usleep(500);
    }
    std::sort(micros.begin(), micros.end());
    return {micros[micros.size() / 2], micros[micros.size() * 99 / 100]};
}

Latency MemoryCharge::among(const QStringList& loop, const MemoryGroup* group, double seconds) {
    std::vector<std::unique_ptr<Peer>> loops;
    for (int i = 0; i < 10; ++i) {
        loops.push_back(client(loop));
        if (group) (void)group->add(loops.back()->pid());
    }
    const auto latency = measure(seconds);
    for (auto& peer : loops) qInfo("a client: %s", qPrintable(peer->line()));
    return latency;
}

void MemoryCharge::refusals_by_a_group_cost_others_little_more_than_those_by_a_limit() {
    bool told = false;
    const auto asked = qEnvironmentVariableIntValue("SNAKEPIT_MEMORY_SECONDS", &told);
    const double seconds = told ? asked : 3;
    const MemoryGroup group("manager", 200 * kMiB);
    NEED_GROUP(group);
    service_->host().configure("max_regions_per_process = 1000");
    QCOMPARE(service_->cli({"config", "reload"}).status, 0);
    QVERIFY(group.add(service_->pid()));
    const auto during = QString::number(seconds + 1);
    // More than max_region_size: the limit refuses at once.
    const auto limited = among({"loop", "3221225472", during}, nullptr, seconds);
    // In the manager's group, as in one container: the group refuses.
    const auto grouped = among({"loop", "419430400", during}, &group, seconds);
    // What the scheduler alone makes of ten programs that never pause.
    const auto beside = among({"compute", during}, nullptr, seconds);
    qInfo(
        "others' median %.0f us, p99 %.0f us beside refusals by a limit; %.0f us, %.0f us beside "
        "refusals by a group; %.0f us, %.0f us beside programs that ask for nothing",
        limited.median, limited.p99, grouped.median, grouped.p99, beside.median, beside.p99);
    QVERIFY(service_->running());
    QCOMPARE(group.kills(), 0);
    if (!told) return;
    QVERIFY(grouped.median <= limited.median * 1.5);
    QVERIFY(grouped.p99 <= limited.p99 * 1.5);
}

int main(int count, char** words) {
    if (const auto status = play_client(count, words)) return *status;
    QCoreApplication application(count, words);
    MemoryCharge test;
    return QTest::qExec(&test, count, words);
}

#include "tst_memory_charge.moc"
