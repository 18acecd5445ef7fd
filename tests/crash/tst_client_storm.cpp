// SPDX-License-Identifier: MIT
// Threads that connect, map, lock, wait, read, list, close, disconnect and fork at random, on
// clients that they share, while signals come and the manager is now and then stopped or killed.
// Nothing may crash or hang. SNAKEPIT_STORM_SECONDS: for how long; the seed is printed, and
// SNAKEPIT_STORM_SEED asks for one again.
#include <QtTest>

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "service_fixture.h"
#include "snakepit/shm/snakepit_shm.h"

using namespace snakepit::shm::test;

namespace {

constexpr int kThreads = 8;
constexpr std::size_t kClients = 4, kRegions = 6;
constexpr auto kMinute = std::chrono::minutes(1);

int seconds() {
    bool given = false;
    const int wanted = qEnvironmentVariableIntValue("SNAKEPIT_STORM_SECONDS", &given);
    return given ? wanted : 10;
}

using Id = std::array<char, SNAKEPIT_SHM_ID_SIZE>;

// What all threads share. A client may be disconnected at any moment by any thread: its handle
// stays here until somebody puts another one in its place.
struct Shared {
    std::array<std::atomic<snakepit_shm_client*>, kClients> clients{};
    std::mutex mutex;
    std::array<Id, kRegions> regions{};  // guarded by mutex
    std::atomic<bool> over{false};
    std::array<std::atomic<std::int64_t>, kThreads> alive{};  // when each thread began its step
    std::array<std::atomic<const char*>, kThreads> step{};
    std::atomic<std::uint64_t> steps{0}, done{0}, closed{0}, strange{0};
};

std::int64_t now() {
    return std::chrono::steady_clock::now().time_since_epoch().count();
}

class Storm {
  public:
    Storm(Shared& shared, int index, unsigned seed)
        : shared_(shared), index_(static_cast<std::size_t>(index)), random_(seed) {}

    void run() {
        while (!shared_.over) {
            step();
            ++shared_.steps;
        }
    }

  private:
    unsigned below(unsigned bound) { return static_cast<unsigned>(random_() % bound); }
    snakepit_shm_client* client() { return shared_.clients[below(kClients)].load(); }
    Id region() {
        const auto index = below(kRegions);
        const std::lock_guard held(shared_.mutex);
        return shared_.regions[index];
    }
    bool is(const char* name) {
        shared_.alive[index_] = now();
        shared_.step[index_] = name;
        return true;
    }

    // Whatever else happened, it is an error that can be expected here.
    snakepit_shm_status note(snakepit_shm_status status) {
        switch (status) {
            case SNAKEPIT_SHM_OK:
                ++shared_.done;
                break;
            case SNAKEPIT_SHM_CLIENT_CLOSED:
                ++shared_.closed;
                break;
            case SNAKEPIT_SHM_INVALID_ARGUMENT:  // no client there yet
            case SNAKEPIT_SHM_INVALID_REGION_ID:
            case SNAKEPIT_SHM_REGION_NOT_FOUND:
            case SNAKEPIT_SHM_NO_MANAGER:
            case SNAKEPIT_SHM_TIMEOUT:
            case SNAKEPIT_SHM_DEADLOCK:
            case SNAKEPIT_SHM_NOT_HELD:
            case SNAKEPIT_SHM_MAPPING_FAILED:
                break;
            default:
                if (++shared_.strange < 20)
                    qWarning("%s: %s", shared_.step[index_].load(), snakepit_shm_last_error());
        }
        return status;
    }

    void step() {
        switch (below(24)) {
            case 0:
                return connect();
            case 1:
                return close();
            case 2:
                return fork();
            case 3:
                return allocate();
            case 4:
                return list();
            case 5:
                return ticket();
            case 6:
                return copy();
            case 7:
                return small();
            case 8:
            case 9:
            case 10:
                return lock();
            default:
                return map();
        }
    }

    void connect() {
        is("connect");
        snakepit_shm_client* made = nullptr;
        note(snakepit_shm_connect_within(nullptr, 500 + below(3000), &made));
        if (!made) return;
        // The one before is disconnected here, or later by who comes upon it, or never.
        auto* const before = shared_.clients[below(kClients)].exchange(made);
        is("disconnect the one before");
        snakepit_shm_disconnect(before);
    }

    void close() {
        auto* const one = client();
        if (below(3) != 0) return;
        is("close");
        if (below(2) == 0) snakepit_shm_close(one);
        is("disconnect");
        snakepit_shm_disconnect(one);
    }

    void allocate() {
        is("allocate");
        Id id{};
        auto* const one = client();
        if (note(snakepit_shm_allocate(one, 1 + below(100'000), nullptr, id.data())) !=
            SNAKEPIT_SHM_OK)
            return;
        Id old;
        {
            const std::lock_guard held(shared_.mutex);
            old = std::exchange(shared_.regions[below(kRegions)], id);
        }
        is("deallocate");
        note(snakepit_shm_deallocate(client(), old.data()));
    }

    void map() {
        is("map");
        auto* const one = client();
        const auto id = region();
        snakepit_shm_mapping mapping{};
        const auto access = below(2) ? SNAKEPIT_SHM_READ_WRITE : SNAKEPIT_SHM_READ_ONLY;
        if (note(snakepit_shm_map(one, id.data(), access, &mapping)) != SNAKEPIT_SHM_OK) return;
        // Its memory is not touched: another thread may have disconnected the client.
        if (below(8) == 0) std::this_thread::yield();
        is("unmap");
        note(snakepit_shm_unmap(one, &mapping));
    }

    void copy() {
        is("read or write");
        std::array<char, 3000> bytes{};
        const auto id = region();
        if (below(2))
            note(snakepit_shm_read(client(), id.data(), 0, bytes.data(), below(3000)));
        else
            note(snakepit_shm_write(client(), id.data(), 0, bytes.data(), below(3000)));
    }

    void lock() {
        is("lock");
        auto* const one = client();
        const auto id = region();
        std::uint64_t token = 0;
        const auto mode = below(3) ? SNAKEPIT_SHM_READ_ONLY : SNAKEPIT_SHM_READ_WRITE;
        if (note(snakepit_shm_lock(one, id.data(), mode, below(4) * 50, &token)) != SNAKEPIT_SHM_OK)
            return;
        if (below(4) == 0) std::this_thread::sleep_for(std::chrono::microseconds(below(2000)));
        is("unlock");
        note(snakepit_shm_unlock(one, id.data(), token));
    }

    void ticket() {
        is("lock_begin");
        auto* const one = client();
        const auto id = region();
        std::uint64_t ticket = 0, token = 0;
        if (note(snakepit_shm_lock_begin(one, id.data(), SNAKEPIT_SHM_READ_WRITE, below(2) << 22,
                                         &ticket)) != SNAKEPIT_SHM_OK)
            return;
        auto status = SNAKEPIT_SHM_TIMEOUT;
        for (int i = 0; i < 3 && status == SNAKEPIT_SHM_TIMEOUT; ++i) {
            is("lock_wait");
            status = note(snakepit_shm_lock_wait(one, ticket, below(40), &token));
        }
        is("cancel or unlock");
        if (status == SNAKEPIT_SHM_OK)
            note(snakepit_shm_unlock(one, id.data(), token));
        else if (status == SNAKEPIT_SHM_TIMEOUT)
            note(snakepit_shm_cancel(one, ticket));
    }

    void list() {
        is("list");
        auto* one = client();
        if (below(6) != 0) one = nullptr;  // else it is disconnected in the middle
        note(snakepit_shm_list(
            one ? one : client(), nullptr,
            [](const snakepit_shm_region_info*, void* which) {
                snakepit_shm_disconnect(static_cast<snakepit_shm_client*>(which));
                return true;
            },
            one));
    }

    void small() {
        is("info, announce, cleanup");
        auto* const one = client();
        const auto id = region();
        snakepit_shm_region_info info{};
        info.struct_size = sizeof info;
        note(snakepit_shm_info(one, id.data(), &info));
        note(snakepit_shm_announce(one, "storm", nullptr, nullptr));
        note(snakepit_shm_cleanup(one, nullptr, nullptr));
        snakepit_shm_round_trips(one);
    }

    void fork() {
#if !defined(__SANITIZE_THREAD__)  // which does not follow a program with threads into a child
        if (below(4) != 0) return;
        is("fork");
        auto* const inherited = client();
        const auto id = region();
        const auto child = ::fork();
        if (child == 0) ::_exit(in_child(inherited, id.data()));
        int status = 0;
        ::waitpid(child, &status, 0);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            ++shared_.strange;
            qWarning("a child ended with %x", status);
        }
#endif
    }

    static int in_child(snakepit_shm_client* inherited, const char* id) {
        ::alarm(50);  // less than a step may take: its end says that it was the child
        snakepit_shm_mapping mapping{};
        if (snakepit_shm_map(inherited, id, SNAKEPIT_SHM_READ_ONLY, &mapping) == SNAKEPIT_SHM_OK)
            return 1;
        snakepit_shm_disconnect(inherited);
        snakepit_shm_client* own = nullptr;
        if (snakepit_shm_connect_within(nullptr, 300, &own) != SNAKEPIT_SHM_OK) return 0;
        if (snakepit_shm_map(own, id, SNAKEPIT_SHM_READ_ONLY, &mapping) == SNAKEPIT_SHM_OK)
            snakepit_shm_unmap(own, &mapping);
        snakepit_shm_disconnect(own);
        return 0;
    }

    Shared& shared_;
    std::size_t index_;
    std::minstd_rand random_;
};

}  // namespace

class ClientStorm : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void threads_do_everything_at_once();

  private:
    void trouble_the_manager(std::minstd_rand& random);
    bool all_move(const Shared& shared) const;
    Service service_;
};

// Stopped for a while, or killed and started again.
void ClientStorm::trouble_the_manager(std::minstd_rand& random) {
    const auto pid = static_cast<pid_t>(service_.pid());
    if (random() % 3 == 0) {
        QVERIFY(service_.restart_after_kill());
    } else {
        ::kill(pid, SIGSTOP);
        QTest::qWait(static_cast<int>(random() % 1500));
        ::kill(pid, SIGCONT);
    }
}

bool ClientStorm::all_move(const Shared& shared) const {
    const auto longest = std::chrono::nanoseconds(kMinute).count();
    for (int i = 0; i < kThreads; ++i)
        if (now() - shared.alive[static_cast<std::size_t>(i)] > longest) {
            qWarning("thread %d hangs in '%s'", i, shared.step[static_cast<std::size_t>(i)].load());
            return false;
        }
    return true;
}

void ClientStorm::threads_do_everything_at_once() {
    service_.host().configure("max_regions_per_process = 1000\nmax_regions = 4000\n");
    QVERIFY(service_.start());
    service_.host().use_in_this_process(service_.instance());
    struct sigaction nothing {};
    nothing.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &nothing, nullptr);
    const bool asked = qEnvironmentVariableIsSet("SNAKEPIT_STORM_SEED");
    const auto seed = asked ? qEnvironmentVariableIntValue("SNAKEPIT_STORM_SEED")
                            : static_cast<int>(now() % 1'000'000);
    qInfo("seed %d", seed);

    Shared shared;
    std::minstd_rand random(static_cast<unsigned>(seed));
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
        shared.alive[static_cast<std::size_t>(i)] = now();
        threads.emplace_back(
            [&shared, i, seed] { Storm(shared, i, static_cast<unsigned>(seed + 1 + i)).run(); });
    }
    QDeadlineTimer end(seconds() * 1000LL);
    for (int turn = 1; !end.hasExpired(); ++turn) {
        for (auto& thread : threads)
            if (random() % 2) ::pthread_kill(thread.native_handle(), SIGUSR1);
        QTest::qWait(5);
        if (!all_move(shared)) std::abort();  // where they hang shows in the core
        if (turn % 400 == 0) trouble_the_manager(random);
    }
    shared.over = true;
    for (auto& thread : threads) thread.join();
    for (auto& client : shared.clients) snakepit_shm_disconnect(client);
    qInfo("%llu steps, %llu calls done, %llu closed", static_cast<unsigned long long>(shared.steps),
          static_cast<unsigned long long>(shared.done),
          static_cast<unsigned long long>(shared.closed));
    QCOMPARE(shared.strange.load(), std::uint64_t{0});
    QVERIFY(shared.done > 100 && shared.closed > 0);
    // Nobody is connected any more, and nothing is held.
    QTRY_COMPARE_WITH_TIMEOUT(service_.cli_json({"locks"}).value("locks").toArray().size(), 0,
                              kPatienceMs);
    QCOMPARE(service_.stop(), 0);
}

QTEST_GUILESS_MAIN(ClientStorm)
#include "tst_client_storm.moc"
