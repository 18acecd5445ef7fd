// SPDX-License-Identifier: MIT
// Clients of the C and the C++ interface that end while other threads, mappings and locks go on.
#include <QtTest>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <thread>

#include "paused.h"
#include "service_fixture.h"
#include "snakepit/shm/client.h"

using namespace snakepit::shm::test;
using std::chrono::milliseconds;

namespace {

// Promised are 100 ms; a machine that does much else is given more.
constexpr qint64 kSoonMs = 2000;

using Client = snakepit_shm_client;
using Call = std::function<snakepit_shm_status(Client*, const char* id)>;

Client* new_client() {
    Client* client = nullptr;
    if (snakepit_shm_connect(nullptr, &client) != SNAKEPIT_SHM_OK)
        qWarning("%s", snakepit_shm_last_error());
    return client;
}

snakepit_shm_status map_write_unmap(Client* client, const char* id) {
    snakepit_shm_mapping mapping{};
    const auto mapped = snakepit_shm_map(client, id, SNAKEPIT_SHM_READ_WRITE, &mapping);
    if (mapped != SNAKEPIT_SHM_OK) return mapped;
    return snakepit_shm_unmap(client, &mapping);
}

snakepit_shm_status lock_unlock(Client* client, const char* id) {
    std::uint64_t token = 0;
    const auto locked = snakepit_shm_lock(client, id, SNAKEPIT_SHM_READ_WRITE, 60'000, &token);
    if (locked != SNAKEPIT_SHM_OK) return locked;
    return snakepit_shm_unlock(client, id, token);
}

snakepit_shm_status allocate_deallocate(Client* client, const char*) {
    char id[SNAKEPIT_SHM_ID_SIZE];
    const auto made = snakepit_shm_allocate(client, 8192, nullptr, id);
    if (made != SNAKEPIT_SHM_OK) return made;
    return snakepit_shm_deallocate(client, id);
}

snakepit_shm_status read_part(Client* client, const char* id) {
    std::array<char, 9000> bytes{};
    return snakepit_shm_read(client, id, 100, bytes.data(), bytes.size());
}

snakepit_shm_status write_part(Client* client, const char* id) {
    const std::array<char, 9000> bytes{};
    return snakepit_shm_write(client, id, 100, bytes.data(), bytes.size());
}

// Of an encrypted region: takes its lock.
snakepit_shm_status map_change_flush(Client* client, const char* id) {
    snakepit_shm_mapping mapping{};
    const auto mapped = snakepit_shm_map(client, id, SNAKEPIT_SHM_READ_WRITE, &mapping);
    if (mapped != SNAKEPIT_SHM_OK) return mapped;
    // Private, but only until the client is disconnected: then it is not touched any more.
    const auto flushed = snakepit_shm_flush(client, &mapping);
    if (flushed != SNAKEPIT_SHM_OK) return flushed;
    return snakepit_shm_unmap(client, &mapping);
}

snakepit_shm_status list_all(Client* client, const char*) {
    return snakepit_shm_list(
        client, nullptr, [](const snakepit_shm_region_info*, void*) { return true; }, nullptr);
}

snakepit_shm_status others(Client* client, const char* id) {
    snakepit_shm_region_info info{};
    info.struct_size = sizeof info;
    const auto known = snakepit_shm_info(client, id, &info);
    if (known != SNAKEPIT_SHM_OK) return known;
    const auto cleaned = snakepit_shm_cleanup(client, nullptr, nullptr);
    if (cleaned != SNAKEPIT_SHM_OK) return cleaned;
    return snakepit_shm_announce(client, "worker", nullptr, nullptr);
}

// Goes on with the call on a thread of its own until it fails.
class Caller {
  public:
    Caller(Client* client, Call call, const QString& id)
        : thread_([this, client, call = std::move(call), name = id.toUtf8()] {
              while ((last_ = call(client, name.constData())) == SNAKEPIT_SHM_OK) ++turns_;
              ended_ = true;
          }) {}
    ~Caller() { thread_.join(); }

    int turns() const { return turns_; }
    bool ended() const { return ended_; }
    snakepit_shm_status last() const { return last_; }

  private:
    std::atomic<int> turns_{0};
    std::atomic<bool> ended_{false};
    std::atomic<snakepit_shm_status> last_{SNAKEPIT_SHM_OK};
    std::thread thread_;
};

}  // namespace

class ClientLifetime : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() {
        QVERIFY(service_.start());
        service_.host().use_in_this_process(service_.instance());
    }
    void calls_end_when_their_client_is_disconnected_data();
    void calls_end_when_their_client_is_disconnected();
    void calls_that_wait_for_the_manager_end_when_their_client_is_disconnected_data();
    void calls_that_wait_for_the_manager_end_when_their_client_is_disconnected();
    void a_flush_that_waits_for_the_regions_lock_ends_with_its_client();
    void a_waiter_ends_with_its_client_and_leaves_the_queue();
    void a_list_callback_may_disconnect();
    void two_threads_may_disconnect_the_same_client();
    void a_handle_after_its_end_is_an_error();
    void locks_and_mappings_outlive_the_cpp_client();
    void a_cpp_client_is_closed_under_threads();

  private:
    QString allocate(const QStringList& more = {}) const {
        return service_.cli_json(QStringList{"allocate", "128KiB"} + more).value("id").toString();
    }
    Service service_;
};

void ClientLifetime::calls_end_when_their_client_is_disconnected_data() {
    QTest::addColumn<Call>("call");
    QTest::addColumn<bool>("encrypted");
    QTest::newRow("map") << Call(map_write_unmap) << false;
    QTest::newRow("lock") << Call(lock_unlock) << false;
    QTest::newRow("allocate") << Call(allocate_deallocate) << false;
    QTest::newRow("read") << Call(read_part) << false;
    QTest::newRow("write") << Call(write_part) << false;
    QTest::newRow("list") << Call(list_all) << false;
    QTest::newRow("info, cleanup and announce") << Call(others) << false;
    QTest::newRow("read of an encrypted region") << Call(read_part) << true;
    QTest::newRow("write of an encrypted region") << Call(write_part) << true;
    QTest::newRow("flush of an encrypted region") << Call(map_change_flush) << true;
}

void ClientLifetime::calls_end_when_their_client_is_disconnected() {
    QFETCH(Call, call);
    QFETCH(bool, encrypted);
    const auto id = allocate(encrypted ? QStringList{"--security-level", "high"} : QStringList{});
    for (int round = 0; round < 10; ++round) {
        auto* const client = new_client();
        QVERIFY(client);
        Caller one(client, call, id), two(client, call, id), three(client, call, id);
        QTRY_VERIFY_WITH_TIMEOUT(one.turns() > 0 && two.turns() > 0 && three.turns() > 0,
                                 kPatienceMs);
        QElapsedTimer time;
        time.start();
        snakepit_shm_disconnect(client);
        for (const auto* caller : {&one, &two, &three})
            QTRY_VERIFY_WITH_TIMEOUT(caller->ended(), kPatienceMs);
        QVERIFY(time.elapsed() < kSoonMs);
        for (const auto* caller : {&one, &two, &three})
            QCOMPARE(caller->last(), SNAKEPIT_SHM_CLIENT_CLOSED);
    }
}

void ClientLifetime::calls_that_wait_for_the_manager_end_when_their_client_is_disconnected_data() {
    QTest::addColumn<bool>("gone");
    QTest::newRow("stopped") << false;
    QTest::newRow("killed") << true;
}

void ClientLifetime::calls_that_wait_for_the_manager_end_when_their_client_is_disconnected() {
    QFETCH(bool, gone);
    Service other(std::make_shared<TestHost>(), "other");
    QVERIFY(other.start());
    other.host().use_in_this_process("other");
    const auto id = other.cli_json({"allocate", "64KiB"}).value("id").toString();
    auto* const client = new_client();
    service_.host().use_in_this_process(service_.instance());
    QVERIFY(client);
    if (gone)
        other.kill();
    else
        QVERIFY(pause_process(other.pid()));
    {
        Caller one(client, list_all, id), two(client, lock_unlock, id),
            three(client, read_part, id);
        QTest::qWait(200);  // all are inside
        QVERIFY(!one.ended() && !two.ended() && !three.ended());
        QElapsedTimer time;
        time.start();
        snakepit_shm_disconnect(client);
        QVERIFY(time.elapsed() < kSoonMs);
        for (const auto* caller : {&one, &two, &three}) {
            QTRY_VERIFY_WITH_TIMEOUT(caller->ended(), kSoonMs);
            QCOMPARE(caller->last(), SNAKEPIT_SHM_CLIENT_CLOSED);
        }
    }
    if (!gone) ::kill(static_cast<pid_t>(other.pid()), SIGCONT);
}

void ClientLifetime::a_flush_that_waits_for_the_regions_lock_ends_with_its_client() {
    const auto id = allocate({"--security-level", "high"});
    auto* const holder = new_client();
    auto* const client = new_client();
    std::uint64_t token = 0;
    QCOMPARE(snakepit_shm_lock(holder, id.toUtf8(), SNAKEPIT_SHM_READ_WRITE, 0, &token),
             SNAKEPIT_SHM_OK);
    {
        const Call write_and_flush = [](Client* in, const char* region) {
            snakepit_shm_mapping mapping{};
            const auto mapped = snakepit_shm_map(in, region, SNAKEPIT_SHM_READ_WRITE, &mapping);
            if (mapped != SNAKEPIT_SHM_OK) return mapped;
            static_cast<char*>(mapping.data)[7] = 1;
            return snakepit_shm_flush(in, &mapping);
        };
        const Caller flusher(client, write_and_flush, id), writer(client, write_part, id);
        QTRY_COMPARE_WITH_TIMEOUT(service_.cli_json({"locks", id})
                                      .value("locks")
                                      .toArray()
                                      .at(0)
                                      .toObject()
                                      .value("waiter_count")
                                      .toInt(),
                                  2, kPatienceMs);
        snakepit_shm_disconnect(client);
        QTRY_VERIFY_WITH_TIMEOUT(flusher.ended() && writer.ended(), kSoonMs);
        QCOMPARE(flusher.last(), SNAKEPIT_SHM_CLIENT_CLOSED);
        QCOMPARE(writer.last(), SNAKEPIT_SHM_CLIENT_CLOSED);
    }
    QCOMPARE(snakepit_shm_unlock(holder, id.toUtf8(), token), SNAKEPIT_SHM_OK);
    snakepit_shm_disconnect(holder);
}

void ClientLifetime::a_waiter_ends_with_its_client_and_leaves_the_queue() {
    const auto id = allocate().toUtf8();
    auto* const holder = new_client();
    auto* const waiter = new_client();
    std::uint64_t token = 0, none = 0;
    QCOMPARE(snakepit_shm_lock(holder, id, SNAKEPIT_SHM_READ_WRITE, 0, &token), SNAKEPIT_SHM_OK);
    std::atomic<snakepit_shm_status> told{SNAKEPIT_SHM_OK};
    std::thread thread([&] {
        told = snakepit_shm_lock(waiter, id, SNAKEPIT_SHM_READ_WRITE, SNAKEPIT_SHM_FOREVER, &none);
    });
    QTest::qWait(100);
    QElapsedTimer time;
    time.start();
    snakepit_shm_disconnect(waiter);
    thread.join();
    QVERIFY(time.elapsed() < kSoonMs);
    QCOMPARE(told.load(), SNAKEPIT_SHM_CLIENT_CLOSED);
    QCOMPARE(snakepit_shm_unlock(holder, id, token), SNAKEPIT_SHM_OK);
    QCOMPARE(snakepit_shm_lock(holder, id, SNAKEPIT_SHM_READ_WRITE, 10'000, &token),
             SNAKEPIT_SHM_OK);
    snakepit_shm_disconnect(holder);
}

void ClientLifetime::a_list_callback_may_disconnect() {
    const auto id = allocate();
    auto* client = new_client();
    const auto end = [](const snakepit_shm_region_info*, void* context) {
        auto** const mine = static_cast<Client**>(context);
        snakepit_shm_disconnect(*mine);
        const auto after = list_all(*mine, nullptr);
        *mine = nullptr;
        return after == SNAKEPIT_SHM_OK;
    };
    QCOMPARE(snakepit_shm_list(client, nullptr, end, &client), SNAKEPIT_SHM_OK);
    QVERIFY(!client);
}

void ClientLifetime::two_threads_may_disconnect_the_same_client() {
    const auto id = allocate();
    for (int round = 0; round < 50; ++round) {
        auto* const client = new_client();
        const Caller caller(client, map_write_unmap, id);
        QTRY_VERIFY_WITH_TIMEOUT(caller.turns() > 0, kPatienceMs);
        std::thread one([&] { snakepit_shm_disconnect(client); });
        std::thread two([&] { snakepit_shm_disconnect(client); });
        one.join();
        two.join();
        snakepit_shm_disconnect(client);
    }
}

void ClientLifetime::a_handle_after_its_end_is_an_error() {
    const auto id = allocate().toUtf8();
    auto* const client = new_client();
    snakepit_shm_mapping mapping{};
    QCOMPARE(snakepit_shm_map(client, id, SNAKEPIT_SHM_READ_ONLY, &mapping), SNAKEPIT_SHM_OK);
    snakepit_shm_disconnect(client);
    auto* const next = new_client();  // whatever was used before may be used again
    QVERIFY(next != client);
    QCOMPARE(map_write_unmap(client, id), SNAKEPIT_SHM_CLIENT_CLOSED);
    QCOMPARE(snakepit_shm_unmap(client, &mapping), SNAKEPIT_SHM_CLIENT_CLOSED);
    QCOMPARE(list_all(client, id), SNAKEPIT_SHM_CLIENT_CLOSED);
    QVERIFY(QByteArray(snakepit_shm_last_error()).contains("this client was closed"));
    QCOMPARE(snakepit_shm_round_trips(client), std::uint64_t{0});
    snakepit_shm_disconnect(client);
    QCOMPARE(list_all(next, id), SNAKEPIT_SHM_OK);
    snakepit_shm_disconnect(next);
    auto* const nobody = reinterpret_cast<Client*>(&mapping);
    QVERIFY(list_all(nobody, id) != SNAKEPIT_SHM_OK);
}

void ClientLifetime::locks_and_mappings_outlive_the_cpp_client() {
    auto client = std::make_unique<snakepit::Client>(*snakepit::Client::connect());
    auto region = std::make_unique<snakepit::Region>(*client->allocate(4096));
    auto mapping = region->map_writable();
    auto lock = region->lock();
    QVERIFY(mapping && lock);
    std::thread other([held = std::move(*lock), id = region->id()]() mutable {
        const auto moved = std::move(held);  // given back on this thread
    });
    client.reset();
    other.join();
    QVERIFY(region->lock(SNAKEPIT_SHM_READ_WRITE, milliseconds(5000)).has_value());
    region.reset();
    mapping->bytes()[0] = std::byte{1};
    QVERIFY(mapping->flush().has_value());
    auto taken = std::move(*mapping);
    QVERIFY(taken.unmap().has_value());
    const auto moved_from = std::move(lock);
    QVERIFY(!mapping->flush());
}

void ClientLifetime::a_cpp_client_is_closed_under_threads() {
    const auto client = *snakepit::Client::connect();
    const auto other = *snakepit::Client::connect();
    const auto region = *other.allocate(4096);
    auto mapping = client.map_writable(region.id());
    auto mine = client.lock(region.id(), SNAKEPIT_SHM_READ_ONLY);
    auto theirs = other.lock(region.id(), SNAKEPIT_SHM_READ_ONLY);
    QVERIFY(mapping && mine && theirs);
    std::vector<std::thread> threads;
    std::atomic<int> closed{0};
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([copy = client, id = region.id(), &closed] {
            const auto lock = copy.lock(id);
            if (!lock && lock.error().status == SNAKEPIT_SHM_CLIENT_CLOSED) ++closed;
        });
    QTest::qWait(100);
    client.close();
    for (auto& thread : threads) thread.join();
    QCOMPARE(closed.load(), 4);
    QCOMPARE(client.list().error().status, SNAKEPIT_SHM_CLIENT_CLOSED);
    mapping->bytes()[5] = std::byte{5};  // still there
    QVERIFY(mapping->unmap().has_value());
    QVERIFY(theirs->unlock().has_value());
    QVERIFY(mine->unlock().has_value());  // given back though the client is closed
    QVERIFY(other.lock(region.id(), SNAKEPIT_SHM_READ_WRITE, milliseconds(5000)).has_value());
}

QTEST_GUILESS_MAIN(ClientLifetime)
#include "tst_client_lifetime.moc"
