// SPDX-License-Identifier: MIT
// The C++ wrapper over the installed C interface, as a program that links it sees it.
#include <QtTest>

#include <numeric>

#include "service_fixture.h"
#include "snakepit/shm/client.h"

using namespace snakepit::shm::test;

class CppClient : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() {
        QVERIFY(service_.start());
        service_.host().use_in_this_process(service_.instance());
    }
    void writes_through_one_mapping_are_read_through_another();
    void a_mapping_gives_its_reference_back_once();
    void a_mapping_keeps_the_connection_alive();
    void errors_carry_status_code_and_sentence();
    void lists_what_matches();
    void a_lock_ends_with_its_owner();
    void every_option_and_seal_reach_the_manager();
    void signals_and_events_are_objects();

  private:
    Service service_;
};

void CppClient::writes_through_one_mapping_are_read_through_another() {
    const auto writer = snakepit::Client::connect();
    const auto reader = snakepit::Client::connect();
    QVERIFY(writer && reader);
    const auto region = writer->allocate(1000 * sizeof(int));
    QVERIFY(region.has_value());
    const auto memory = region->map_writable();
    QVERIFY(memory.has_value());
    std::iota(memory->as<int>().begin(), memory->as<int>().end(), 0);
    const auto seen = reader->map(region->id());
    QVERIFY(seen.has_value());
    static_assert(std::is_same_v<decltype(seen->as<int>()), std::span<const int>>);
    QCOMPARE(std::reduce(seen->as<int>().begin(), seen->as<int>().end()), 499'500);
    QVERIFY(region->deallocate().has_value());
}

void CppClient::a_mapping_gives_its_reference_back_once() {
    const auto client = snakepit::Client::connect();
    const auto region = client->allocate(4096);
    const auto before = region->info()->reference_count;
    auto first = region->map();
    QCOMPARE(region->info()->reference_count, before + 1);
    auto second = std::move(*first);
    QVERIFY(first->bytes().empty());
    QCOMPARE(region->info()->reference_count, before + 1);
    QVERIFY(second.unmap().has_value());
    QVERIFY(second.unmap().has_value());
    QVERIFY(second.bytes().empty());
    QCOMPARE(region->info()->reference_count, before);
    QVERIFY(region->deallocate().has_value());
}

void CppClient::a_mapping_keeps_the_connection_alive() {
    const auto mapping = [] {
        const auto client = snakepit::Client::connect();
        return client->allocate(4096)->map_writable();
    }();
    QVERIFY(mapping.has_value());
    mapping->bytes()[0] = std::byte{7};
    QCOMPARE(static_cast<int>(mapping->bytes()[0]), 7);
}

void CppClient::errors_carry_status_code_and_sentence() {
    const auto client = snakepit::Client::connect();
    const auto none = client->allocate(0);
    QVERIFY(!none);
    QCOMPARE(none.error().status, SNAKEPIT_SHM_INVALID_SIZE);
    QCOMPARE(QString::fromStdString(std::string(none.error().code())), "invalid_size");
    QVERIFY(!none.error().message.empty());
    const auto missing = snakepit::Client::connect("no-such-instance");
    QVERIFY(!missing);
    QCOMPARE(missing.error().status, SNAKEPIT_SHM_NO_MANAGER);
}

void CppClient::lists_what_matches() {
    const auto client = snakepit::Client::connect();
    snakepit::Options options;
    options.cleanup_policy = SNAKEPIT_SHM_REFERENCE_COUNTED;
    options.timeout = std::chrono::minutes(3);
    const auto region = client->allocate(5 << 20, options);
    const auto found = client->list("size=5MiB");
    QVERIFY(found.has_value());
    QCOMPARE(found->size(), std::size_t{1});
    QCOMPARE(found->front().id, region->id());
    QCOMPARE(found->front().cleanup_policy, SNAKEPIT_SHM_REFERENCE_COUNTED);
    QCOMPARE(found->front().timeout, std::chrono::milliseconds(180'000));
    QVERIFY(client->list("size=6MiB")->empty());
    QVERIFY(client->cleanup({.dry_run = true}).has_value());
    QVERIFY(region->deallocate().has_value());
}

void CppClient::a_lock_ends_with_its_owner() {
    using std::chrono::milliseconds;
    const auto client = snakepit::Client::connect();
    const auto other = snakepit::Client::connect();
    const auto region = client->allocate(4096);
    {
        auto lock = region->lock();
        QVERIFY(lock.has_value());
        QVERIFY(!lock->inconsistent());
        QCOMPARE(lock->suspect(), lock->inconsistent());
        const auto moved = std::move(*lock);
        const auto refused = other->lock(region->id(), SNAKEPIT_SHM_READ_ONLY, milliseconds(0));
        QCOMPARE(refused.error().status, SNAKEPIT_SHM_TIMEOUT);
        QCOMPARE(snakepit_shm_unlock(nullptr, region->id().c_str(), moved.token()),
                 SNAKEPIT_SHM_INVALID_ARGUMENT);
    }
    auto shared = other->lock(region->id(), SNAKEPIT_SHM_READ_ONLY, milliseconds(0));
    QVERIFY(shared.has_value());
    QVERIFY(region->lock(SNAKEPIT_SHM_READ_ONLY, milliseconds(0)).has_value());
    QVERIFY(shared->unlock().has_value());
    QVERIFY(shared->unlock().has_value());
    QVERIFY(region->lock(SNAKEPIT_SHM_READ_WRITE, milliseconds(0)).has_value());
    QVERIFY(region->deallocate().has_value());
}

void CppClient::every_option_and_seal_reach_the_manager() {
    const auto client = snakepit::Client::connect({}, std::chrono::seconds(60));
    snakepit::Options options;
    options.durable = true;
    options.exact_permissions = true;
    const auto region = client->allocate(4096, options);
    QVERIFY(region.has_value());
    const auto id = QString::fromStdString(region->id());
    QVERIFY(service_.cli_json({"info", id}).value("durable").toBool());
    QVERIFY(region->seal().has_value());
    const auto refused = region->map_writable();
    QVERIFY(!refused);
    QCOMPARE(refused.error().status, SNAKEPIT_SHM_IS_READ_ONLY);
    QVERIFY(region->map().has_value());
    QVERIFY(region->deallocate().has_value());
}

void CppClient::signals_and_events_are_objects() {
    const auto client = snakepit::Client::connect({}, std::chrono::seconds(60));
    const auto other = snakepit::Client::connect({}, std::chrono::seconds(60));
    const auto region = client->allocate(4096);
    QCOMPARE(client->counter(region->id()).value(), 0U);
    QCOMPARE(region->wait(0, milliseconds(10)).error().status, SNAKEPIT_SHM_TIMEOUT);
    QVERIFY(region->notify().has_value());
    QCOMPARE(other->wait(region->id(), 0).value(), 1U);
    QCOMPARE(client->next_event().error().status, SNAKEPIT_SHM_NO_EVENT);
    QCOMPARE(client->next_event().error().code(), "no_event");
    QVERIFY(client->event_fd().value() >= 0);
    QCOMPARE(other->map_cached(region->id()).error().status, SNAKEPIT_SHM_NOT_CACHED);
    QVERIFY(other->map_writable(region->id()).has_value());
    QVERIFY(other->map_cached(region->id()).has_value());
    QVERIFY(other->map_writable_cached(region->id()).has_value());

    const auto next = [&] {
        for (int i = 0; i < 6000; ++i) {
            auto event = client->next_event();
            if (event || event.error().status != SNAKEPIT_SHM_NO_EVENT) return event;
            QTest::qSleep(10);
        }
        return client->next_event();
    };
    const auto ticket = client->wait_begin(region->id(), 1);
    QVERIFY(other->notify(region->id()).has_value());
    const auto signal = next();
    QVERIFY(signal.has_value());
    QCOMPARE(signal->kind, SNAKEPIT_SHM_EVENT_SIGNAL);
    QCOMPARE(signal->ticket, *ticket);
    QCOMPARE(signal->counter, 2U);
    QCOMPARE(signal->region_id, region->id());
    QVERIFY(client->lock_begin(region->id(), 1U << 22).has_value());
    {
        auto lock = next();
        QVERIFY(lock.has_value() && lock->lock.has_value());
        QCOMPARE(other->lock(region->id(), SNAKEPIT_SHM_READ_ONLY, milliseconds(0)).error().status,
                 SNAKEPIT_SHM_TIMEOUT);
    }
    QVERIFY(other->lock(region->id(), SNAKEPIT_SHM_READ_WRITE, milliseconds(1000)).has_value());
    snakepit_shm_event raw{};
    QCOMPARE(snakepit_shm_event_fd(nullptr), -1);
    QCOMPARE(snakepit_shm_next_event(nullptr, &raw), SNAKEPIT_SHM_INVALID_ARGUMENT);
    QCOMPARE(snakepit_shm_notify(nullptr, nullptr), SNAKEPIT_SHM_INVALID_ARGUMENT);
    QCOMPARE(snakepit_shm_wait(nullptr, "", 0, 0, nullptr), SNAKEPIT_SHM_INVALID_ARGUMENT);
    QCOMPARE(snakepit_shm_wait_begin(nullptr, "", 0, nullptr), SNAKEPIT_SHM_INVALID_ARGUMENT);
    QVERIFY(client->cancel(client->wait_begin(region->id(), 2).value()).has_value());
    QVERIFY(region->deallocate().has_value());
}

QTEST_GUILESS_MAIN(CppClient)
#include "tst_cpp_client.moc"
