// SPDX-License-Identifier: MIT
// Errors are counted, remembered with their context, and say what would help; limits by user.
#include <QtTest>

#include "service_bench.h"

using namespace snakepit::shm;
using test::kUser;
using test::ServiceFixture;
using namespace snakepit::shm::test;

namespace {

const Credentials kOther{101, 5001, 500};

bool says(const Error& error, const char* what) {
    return error.sentence().find(what) != std::string::npos;
}

}  // namespace

class ErrorManagerTest : public ServiceFixture {
    Q_OBJECT

  private Q_SLOTS:
    void errors_are_counted_by_type_and_code_and_keep_their_context();
    void only_the_last_errors_are_remembered_and_all_are_counted();
    void a_limit_says_how_much_a_cleanup_would_free();
    void a_limit_by_user_counts_all_that_is_the_users();
    void a_lowered_limit_refuses_only_what_is_new();
    void a_region_that_says_no_level_gets_the_configured_one();
    void where_room_can_be_made_it_is_tried_once_more();
    void only_what_changed_nothing_is_tried_again();
    void where_others_fill_the_file_system_they_are_pointed_to();
};

void ErrorManagerTest::errors_are_counted_by_type_and_code_and_keep_their_context() {
    const auto unknown = RegionId::generate();
    QVERIFY(!user_->map(unknown));
    QVERIFY(!user_->allocate(0));
    QVERIFY(!user_->allocate(1ULL << 40));
    auto& errors = state().errors;
    QCOMPARE(errors.total(), 3U);
    QCOMPARE(errors.by_type().at(ErrorType::region_not_found), 1U);
    QCOMPARE(errors.by_type().at(ErrorType::invalid_argument), 1U);
    QCOMPARE(errors.by_code().at(ErrorCode::size_exceeds_limit), 1U);
    QCOMPARE(state().totals().errors, 3U);
    const auto& first = errors.recent().front();
    QCOMPARE(first.error.operation, std::string("map"));
    QCOMPARE(first.error.region_id, unknown.str());
    QCOMPARE(first.pid, kUser.pid);
    QCOMPARE(first.uid, kUser.uid);
    QCOMPARE(first.process, std::string("program"));
    QVERIFY(first.error.time.micros > 0);
    QCOMPARE(errors.recent().back().error.operation, std::string("allocate"));
}

void ErrorManagerTest::only_the_last_errors_are_remembered_and_all_are_counted() {
    ErrorManager errors;
    for (int i = 0; i < 100; ++i)
        (void)errors.handle(make_error(ErrorCode::no_space, std::to_string(i)),
                            {"allocate", {}, {}, {}});
    QCOMPARE(errors.total(), 100U);
    QCOMPARE(errors.recent().size(), ErrorManager::kRemembered);
    QCOMPARE(errors.recent().back().error.message, std::string("99"));
}

void ErrorManagerTest::a_limit_says_how_much_a_cleanup_would_free() {
    bench_->config.max_regions = 2;
    bench_->reconfigure();
    const auto held = user_->allocate(1), idle = user_->allocate(8192);
    QVERIFY(user_->take(*held) && user_->take(*idle));
    service().released(held->slot, held->generation);
    service().released(idle->slot, idle->generation);
    Error none = make_error(ErrorCode::region_limit_exceeded, "there are 2 regions already");
    advise_cleanup(none, {});
    QVERIFY(says(none, "every region is in use"));
    QVERIFY(user_->give(*idle));
    service().released(idle->slot, idle->generation);
    const auto refused = user_->allocate(1);
    QCOMPARE(code(refused), ErrorCode::region_limit_exceeded);
    QVERIFY2(says(refused.error(), "1 idle region holds 8 KiB"),
             refused.error().sentence().c_str());
    QVERIFY(says(refused.error(), "snakepit-shm cleanup"));
    QVERIFY(says(refused.error(), "max_regions"));
}

void ErrorManagerTest::a_limit_by_user_counts_all_that_is_the_users() {
    bench_->config.max_regions_per_user = 3;
    bench_->config.max_memory_per_user = 1 << 20;
    bench_->reconfigure();
    RegionOptions of_user;
    of_user.owned_by_user = true;
    Program again(bench_->service, kUser), other(bench_->service, kOther);
    const auto first = user_->allocate(1);
    QVERIFY(first && user_->allocate(1, of_user));
    const auto too_large = again.allocate(1 << 20);
    QCOMPARE(code(too_large), ErrorCode::user_limit_exceeded);
    QVERIFY(says(too_large.error(), "max_memory_per_user"));
    QVERIFY(again.allocate(1));
    const auto too_many = again.allocate(1);
    QCOMPARE(code(too_many), ErrorCode::user_limit_exceeded);
    QVERIFY(says(too_many.error(), "max_regions_per_user"));
    QVERIFY(other.allocate(1));
    bench_->restart();  // counted again from the registry
    QCOMPARE(code(again.allocate(1)), ErrorCode::user_limit_exceeded);
    QVERIFY(service().deallocate(user_->caller(), first->id, false).value());
    QVERIFY(again.allocate(1));
}

void ErrorManagerTest::a_lowered_limit_refuses_only_what_is_new() {
    const auto region = user_->allocate(1 << 20);
    QVERIFY(user_->allocate(1));
    bench_->config.max_regions = bench_->config.max_regions_per_user = 1;
    bench_->config.max_region_size = bench_->config.max_total_memory = 4096;
    bench_->reconfigure();
    QVERIFY(user_->map(region->id) && user_->take(*region) && user_->give(*region));
    service().tick(now().micros);
    QCOMPARE(state().totals().regions, 2U);
    QVERIFY(!user_->allocate(1));
    bench_->restart();
    QCOMPARE(state().totals().regions, 2U);
}

void ErrorManagerTest::a_region_that_says_no_level_gets_the_configured_one() {
    bench_->config.security_level = SecurityLevel::high;
    bench_->reconfigure();
    const auto refused = user_->allocate(1);
    QCOMPARE(code(refused), ErrorCode::not_supported);
    QVERIFY(says(refused.error(), "security_level"));
    RegionOptions standard;
    standard.security_level = SecurityLevel::standard;
    QVERIFY(user_->allocate(1, standard));
}

void ErrorManagerTest::where_room_can_be_made_it_is_tried_once_more() {
    bench_->memory->capacity = 4096;
    int asked = 0;
    state().make_room = [&] {
        bench_->memory->capacity = 8192;
        return ++asked > 0;
    };
    QVERIFY(user_->allocate(8192));
    QCOMPARE(asked, 1);
    QCOMPARE(code(user_->allocate(1)), ErrorCode::no_space);
    QCOMPARE(asked, 2);
    QCOMPARE(state().errors.total(), 1U);  // the first was mended
}

void ErrorManagerTest::only_what_changed_nothing_is_tried_again() {
    QVERIFY(retry_is_safe(ErrorCode::no_space));
    for (const auto refused : {ErrorCode::permission_denied, ErrorCode::region_limit_exceeded,
                               ErrorCode::corruption_detected, ErrorCode::cleanup_failed})
        QVERIFY(!retry_is_safe(refused));
}

void ErrorManagerTest::where_others_fill_the_file_system_they_are_pointed_to() {
    bench_->memory->capacity = 4096;
    const auto alone = user_->allocate(8192);
    QCOMPARE(code(alone), ErrorCode::no_space);
    QVERIFY2(says(alone.error(), "'snakepit-shm host'"), alone.error().sentence().c_str());
    QVERIFY2(!says(alone.error(), "cleanup"), alone.error().sentence().c_str());
    QVERIFY2(!says(alone.error(), "every region"), alone.error().sentence().c_str());
    Error held = alone.error();
    held.remedy.clear();
    advise_cleanup(held, {});
    QVERIFY(says(held, "every region is in use") && says(held, "'snakepit-shm host'"));
    // A control group's limit is met by this instance, or by nobody that a survey shows.
    Error group = make_error(ErrorCode::no_space, "control group /x has 1 MiB of memory left");
    advise_cleanup(group, {.no_regions = true});
    QVERIFY(group.remedy.empty());
    // Where the remedy points there already it is not said twice.
    Error said = held;
    said.remedy = "'snakepit-shm host' shows what holds it";
    advise_cleanup(said, {});
    QCOMPARE(said.remedy.find("snakepit-shm host"), said.remedy.rfind("snakepit-shm host"));
}

QTEST_GUILESS_MAIN(ErrorManagerTest)
#include "moc_service_bench.cpp"
#include "tst_error_manager.moc"
