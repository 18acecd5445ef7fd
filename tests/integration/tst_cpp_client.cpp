// SPDX-License-Identifier: MIT
// The C++ wrapper over the installed C interface, as a program that links it sees it.
#include <QtTest>

#include <unistd.h>

#include <cstddef>
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
    void what_is_asked_for_is_read_back();
    void open_is_one_step();
    void types_and_versions_are_the_librarys();
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
        const auto refused =
            other->lock(region->id(), SNAKEPIT_SHM_READ_ONLY, std::chrono::milliseconds(0));
        QCOMPARE(refused.error().status, SNAKEPIT_SHM_TIMEOUT);
        QCOMPARE(snakepit_shm_unlock(nullptr, region->id().c_str(), moved.token()),
                 SNAKEPIT_SHM_INVALID_ARGUMENT);
    }
    auto shared = other->lock(region->id(), SNAKEPIT_SHM_READ_ONLY, std::chrono::milliseconds(0));
    QVERIFY(shared.has_value());
    QVERIFY(region->lock(SNAKEPIT_SHM_READ_ONLY, std::chrono::milliseconds(0)).has_value());
    QVERIFY(shared->unlock().has_value());
    QVERIFY(shared->unlock().has_value());
    QVERIFY(region->lock(SNAKEPIT_SHM_READ_WRITE, std::chrono::milliseconds(0)).has_value());
    auto dead = region->lock();
    QVERIFY(dead.has_value());
    QVERIFY(dead->abandon().has_value());
    QVERIFY(dead->abandon().has_value());
    QVERIFY(other->lock(region->id(), SNAKEPIT_SHM_READ_WRITE)->inconsistent());
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

void CppClient::what_is_asked_for_is_read_back() {
    const auto client = snakepit::Client::connect();
    QVERIFY(client->announce("reader", {}, "morning").has_value());
    snakepit::Options options;
    options.name = "facts";
    options.metadata = R"({"rows":3})";
    options.timeout = std::chrono::minutes(2);
    options.cleanup_policy = SNAKEPIT_SHM_MANUAL;
    options.owner_end = SNAKEPIT_SHM_OWNER_END_WITHDRAW;
    options.placement = SNAKEPIT_SHM_PLACE_DEDICATED;
    options.group = SNAKEPIT_SHM_PERMIT_READ_ONLY;
    options.exact_permissions = true;
    options.audit_access = true;
    const auto region = client->allocate(5000, options);
    QVERIFY(region.has_value());
    for (const auto& info : {*client->info("facts"), client->list("name=facts")->front()}) {
        QCOMPARE(info.id, region->id());
        QCOMPARE(info.name, options.name);
        QCOMPARE(info.metadata, options.metadata);
        QCOMPARE(info.timeout, options.timeout);
        QCOMPARE(info.cleanup_policy, options.cleanup_policy);
        QCOMPARE(info.owner_end, options.owner_end);
        QCOMPARE(info.placement, options.placement);
        QCOMPARE(info.owner, options.owner);
        QCOMPARE(info.group, options.group);
        QCOMPARE(info.other, options.other);
        QVERIFY(info.audit_access && !info.sealed && !info.durable && !info.inconsistent);
        QVERIFY(info.policy_in_effect);
        QCOMPARE(info.worker, "reader");
        QCOMPARE(info.session, "morning");
        QCOMPARE(info.owner_process, "tst_cpp_client");
        QCOMPARE(info.quarantined_until.time_since_epoch().count(), 0);
        QCOMPARE(info.holder_count, std::uint64_t{1});
        QCOMPARE(info.holder_pids, std::vector<std::int64_t>{::getpid()});
    }
    // A program of an older release: its structure ends before the new fields.
    snakepit_shm_region_info old{};
    old.struct_size = offsetof(snakepit_shm_region_info, name);
    old.name[0] = '!';
    snakepit_shm_client* raw = nullptr;
    QCOMPARE(snakepit_shm_connect(nullptr, &raw), SNAKEPIT_SHM_OK);
    QCOMPARE(snakepit_shm_info(raw, "facts", &old), SNAKEPIT_SHM_OK);
    QCOMPARE(old.size, std::uint64_t{5000});
    QCOMPARE(old.name[0], '!');
    snakepit_shm_disconnect(raw);
    QVERIFY(region->deallocate().has_value());
}

void CppClient::open_is_one_step() {
    const auto client = snakepit::Client::connect();
    const auto other = snakepit::Client::connect();
    auto first = client->open("opened", 8 << 20);
    QVERIFY(first.has_value());
    QVERIFY(first->created);
    first->mapping.bytes()[0] = std::byte{7};
    const auto second = other->open_read_only("opened", 8 << 20);
    QVERIFY(second.has_value());
    QVERIFY(!second->created);
    QCOMPARE(static_cast<int>(second->mapping.bytes()[0]), 7);
    QCOMPARE(*second->mapping.id(), *first->mapping.id());
    QCOMPARE(client->info("opened")->reference_count, std::uint64_t{2});
    const auto refused = other->open("opened", 4096);
    QVERIFY(!refused);
    QCOMPARE(refused.error().status, SNAKEPIT_SHM_NAME_IN_USE);
    QVERIFY(refused.error().message.find("8388608") != std::string::npos);
    QVERIFY(refused.error().message.find("4096") != std::string::npos);
    const auto id = *first->mapping.id();
    QVERIFY(first->mapping.unmap().has_value());
    QCOMPARE(client->info("opened")->holder_count, std::uint64_t{1});
    QVERIFY(client->deallocate("opened").has_value());
    QCOMPARE(static_cast<int>(second->mapping.bytes()[0]), 7);
    const auto third = other->open("opened", 4096);
    QVERIFY(third.has_value());
    QVERIFY(third->created);
    QVERIFY(*third->mapping.id() != id);
    QVERIFY(client->deallocate("opened").has_value());
}

void CppClient::types_and_versions_are_the_librarys() {
    QCOMPARE(QString(snakepit_shm_status_type(SNAKEPIT_SHM_NO_SPACE)), "allocation_failed");
    QCOMPARE(QString(snakepit_shm_status_type(SNAKEPIT_SHM_TIMEOUT)), "timeout");
    QCOMPARE(QString(snakepit_shm_status_type(SNAKEPIT_SHM_OK)), "ok");
    QCOMPARE(QString(snakepit_shm_status_type(static_cast<snakepit_shm_status>(9999))),
             "platform_error");
    const auto client = snakepit::Client::connect();
    QCOMPARE(QString::fromStdString(std::string(client->allocate(0).error().type())),
             "invalid_argument");
    QCOMPARE(service_.cli_json({"version"})["version"].toString(), snakepit_shm_version());
}

void CppClient::signals_and_events_are_objects() {
    using std::chrono::milliseconds;
    const auto client = snakepit::Client::connect({}, std::chrono::seconds(60));
    const auto other = snakepit::Client::connect({}, std::chrono::seconds(60));
    const auto region = client->allocate(4096);
    QCOMPARE(client->counter(region->id()).value(), 0U);
    QCOMPARE(region->wait(0, std::chrono::milliseconds(10)).error().status, SNAKEPIT_SHM_TIMEOUT);
    QVERIFY(region->notify().has_value());
    QCOMPARE(other->map_cached(region->id()).error().status, SNAKEPIT_SHM_NOT_CACHED);
    QCOMPARE(other->wait(region->id(), 0).value(), 1U);
    QCOMPARE(client->next_event().error().status, SNAKEPIT_SHM_NO_EVENT);
    QCOMPARE(client->next_event().error().code(), "no_event");
    QVERIFY(client->event_fd().value() >= 0);
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
        QCOMPARE(other->lock(region->id(), SNAKEPIT_SHM_READ_ONLY, std::chrono::milliseconds(0))
                     .error()
                     .status,
                 SNAKEPIT_SHM_TIMEOUT);
    }
    QVERIFY(other->lock(region->id(), SNAKEPIT_SHM_READ_WRITE, std::chrono::milliseconds(1000))
                .has_value());
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
