// SPDX-License-Identifier: MIT
// Mapping and unmapping a region that was granted before: no system call, no round trip.
#include <QtTest>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service_fixture.h"
#include "snakepit/shm/snakepit_shm.h"

using snakepit::shm::test::Peer;
using snakepit::shm::test::Service;

namespace {

constexpr int kRounds = 100'000;

enum Ending { kFine = 0, kNotConnected = 3, kFailed = 4, kAsked = 5 };

// From here on the kernel kills the process at any system call but read, write and exit. Not the
// kernel's strict mode, which also takes the processor's clock away: one map of 256 looks at it.
bool forbid_system_calls() {
    sock_filter words[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_read, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{sizeof words / sizeof words[0], words};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

int map_and_unmap_without_system_calls(const char* id) {
    snakepit_shm_client* client = nullptr;
    snakepit_shm_mapping mapping{};
    if (snakepit_shm_connect(nullptr, &client) != SNAKEPIT_SHM_OK ||
        snakepit_shm_map(client, id, SNAKEPIT_SHM_READ_WRITE, &mapping) != SNAKEPIT_SHM_OK ||
        snakepit_shm_unmap(client, &mapping) != SNAKEPIT_SHM_OK)
        return kNotConnected;
    const auto before = snakepit_shm_round_trips(client);
    if (!forbid_system_calls()) return kNotConnected;
    int ending = kFine;
    for (int i = 0; i < kRounds && ending == kFine; ++i) {
        if (snakepit_shm_map(client, id, SNAKEPIT_SHM_READ_WRITE, &mapping) != SNAKEPIT_SHM_OK)
            ending = kFailed;
        static_cast<volatile char*>(mapping.data)[i % 4096] = 1;
        if (snakepit_shm_unmap(client, &mapping) != SNAKEPIT_SHM_OK) ending = kFailed;
    }
    if (snakepit_shm_round_trips(client) != before) ending = kAsked;
    ::syscall(SYS_exit, ending);
    return ending;
}

}  // namespace

class FastPath : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_granted_region_is_mapped_and_unmapped_without_a_system_call();
};

void FastPath::a_granted_region_is_mapped_and_unmapped_without_a_system_call() {
    Service service;
    QVERIFY(service.start());
    const auto id = service.cli_json({"allocate", "64KiB"}).value("id").toString();
    Peer program(QCoreApplication::applicationFilePath(), {"strict", id},
                 service.host().environment(service.instance()));
    QCOMPARE(program.wait().status, static_cast<int>(kFine));
    // The manager, which was not asked, has counted all of it: the allocator's reference, the first
    // map, and these.
    QTRY_COMPARE_WITH_TIMEOUT(service.cli_json({"info", id}).value("access_count").toInt(),
                              1 + 1 + kRounds, snakepit::shm::test::kPatienceMs);
}

int main(int argc, char** argv) {
    if (argc == 3 && QByteArrayView(argv[1]) == "strict")
        return map_and_unmap_without_system_calls(argv[2]);
    QCoreApplication application(argc, argv);
    FastPath test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_fast_path.moc"
