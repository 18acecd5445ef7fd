// SPDX-License-Identifier: MIT
// Signal words and the waits of the manager: who gets which word, what survives what.
#include <QTest>

#include <thread>

#include "policy_fixture.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;
using namespace snakepit::shm::layout;

namespace {

// A word as a client maps it.
struct Mapped {
    Mapping mapping;
    SignalWord* word = nullptr;
    FileIdentity file;
};

}  // namespace

class SignalStoreTest : public PolicyFixture {
    Q_OBJECT

  private Q_SLOTS:
    void regions_of_one_user_share_a_file_and_no_word();
    void another_user_never_gets_the_file();
    void a_region_outside_an_arena_has_a_page_of_its_own();
    void whoever_may_not_map_gets_no_word();
    void a_reused_slot_begins_anew();
    void a_restart_keeps_the_words();
    void a_region_that_moves_out_of_its_arena_goes_on_counting();
    void a_lost_file_never_repeats_a_counter();
    void files_of_freed_regions_are_dropped();
    void a_watch_is_decided_by_a_change_that_nobody_reported();
    void a_watch_ends_with_its_region_and_with_its_client();
    void a_watch_that_is_repeated_is_one();
    void notes_that_nobody_takes_are_bounded();
    void only_one_system_call_follows_a_dead_waiter();

  private:
    Result<Mapped> open(const Program& program, const RegionId& id) {
        auto grant = service().signals().open(program.caller(), id);
        if (!grant) return fail(grant.error());
        const auto& place = grant->place;
        const auto size = *size_of(place.handle);
        Mapped mapped;
        mapped.mapping = std::move(*Mapping::map(place.handle, size, Mapping::Access::read_write));
        mapped.word = reinterpret_cast<SignalWord*>(mapped.mapping.data() + place.offset);
        mapped.file = *identity_of(place.handle);
        return mapped;
    }
    std::vector<EventNote> taken(const Program& program) {
        return service().signals().take(program.caller()).notes;
    }
    Grant wide(Program& program) {
        RegionOptions options;
        options.permissions.group = Permission::read_only;
        return std::move(*program.allocate(4096, options));
    }
    std::size_t signal_files() const {
        return bench_->memory->list_segments("memfd:snakepit_test_signals_")->size();
    }
};

void SignalStoreTest::regions_of_one_user_share_a_file_and_no_word() {
    const auto one = user_->allocate(100), other = user_->allocate(100);
    auto a = open(*user_, one->id), b = open(*user_, other->id);
    QVERIFY(a && b);
    QCOMPARE(a->file, b->file);
    QCOMPARE(a->word->counter(), 0U);
    a->word->notify();
    QCOMPARE(a->word->counter(), 1U);
    QCOMPARE(b->word->counter(), 0U);
    auto again = open(*user_, one->id);
    QCOMPARE(again->word->counter(), 1U);
}

void SignalStoreTest::another_user_never_gets_the_file() {
    Program alice(bench_->service, kAlice);
    const auto ours = user_->allocate(100), hers = alice.allocate(100);
    const auto a = open(*user_, ours->id), b = open(alice, hers->id);
    QVERIFY(a && b);
    QVERIFY(!(a->file == b->file));
    // And of a region that both use, neither gets the other's file.
    const auto shared = wide(*user_);
    QVERIFY(set(user_->caller(), shared.id, kAliceReads));
    const auto c = open(*user_, shared.id), d = open(alice, shared.id);
    QVERIFY(c && d);
    QCOMPARE(c->file, d->file);
    QVERIFY(!(c->file == a->file) && !(c->file == b->file));
    QCOMPARE(c->mapping.size(), SignalOffsets::page);
}

void SignalStoreTest::a_region_outside_an_arena_has_a_page_of_its_own() {
    const auto one = wide(*user_), other = wide(*user_);
    const auto a = open(*user_, one.id), b = open(*user_, other.id);
    QVERIFY(a && b && !(a->file == b->file));
}

void SignalStoreTest::whoever_may_not_map_gets_no_word() {
    Program bob(bench_->service, kBob);
    const auto region = user_->allocate(100);
    QCOMPARE(code(open(bob, region->id)), ErrorCode::permission_denied);
    QCOMPARE(code(service().signals().watch(bob.caller(), region->id, 0, 1)),
             ErrorCode::permission_denied);
    QCOMPARE(code(open(*user_, RegionId::generate())), ErrorCode::region_not_found);
}

void SignalStoreTest::a_reused_slot_begins_anew() {
    const auto first = user_->allocate(100);
    auto word = open(*user_, first->id);
    word->word->notify();
    word->word->mark(SignalWord::kSleepers);
    QVERIFY(service().deallocate(user_->caller(), first->id, false).value());
    for (int i = 0; i < 3000; ++i) {
        const auto next = user_->allocate(100);
        QVERIFY(next);
        if (next->slot == first->slot) {
            const auto again = open(*user_, next->id);
            QCOMPARE(again->word->value.load(), 0U);
            return;
        }
        QVERIFY(service().deallocate(user_->caller(), next->id, false).value());
    }
    QFAIL("the slot was not used again");
}

void SignalStoreTest::a_restart_keeps_the_words() {
    const auto pooled = user_->allocate(100);
    const auto own = wide(*user_);
    const auto never = user_->allocate(100);
    auto a = open(*user_, pooled->id), b = open(*user_, own.id);
    for (int i = 0; i < 5; ++i) a->word->notify();
    b->word->notify();
    const auto epoch = user_->lease().signals().load();
    bench_->restart();
    QVERIFY(user_->lease().signals().load() != epoch);  // clients ask again
    a->word->notify();                                  // whoever has it goes on meanwhile
    const auto c = open(*user_, pooled->id), d = open(*user_, own.id);
    QCOMPARE(c->file, a->file);
    QCOMPARE(c->word->counter(), 6U);
    QCOMPARE(d->word->counter(), 1U);
    QCOMPARE(open(*user_, never->id)->word->counter(), 0U);
}

void SignalStoreTest::a_region_that_moves_out_of_its_arena_goes_on_counting() {
    const auto region = user_->allocate(100);
    auto word = open(*user_, region->id);
    const auto line = service().signals().open_events(user_->caller());
    word->word->notify();
    word->word->notify();
    QVERIFY(!service().signals().watch(user_->caller(), region->id, 2, 7)->decided);
    QVERIFY(set(user_->caller(), region->id, kAliceReads)->in_effect);
    const auto moved = open(*user_, region->id);
    QVERIFY(!(moved->file == word->file));
    QCOMPARE(moved->word->counter(), 3U);  // nobody misses what came before
    QCOMPARE(taken(*user_).size(), 1U);
}

void SignalStoreTest::a_lost_file_never_repeats_a_counter() {
    const auto region = user_->allocate(100);
    open(*user_, region->id)->word->notify();
    bench_->kill();
    bench_->memory->forget_segment(
        bench_->memory->list_segments("memfd:snakepit_test_signals_")->front().name);
    bench_->start();
    QVERIFY(open(*user_, region->id)->word->counter() > 1'000'000);
}

void SignalStoreTest::files_of_freed_regions_are_dropped() {
    const auto pooled = user_->allocate(100);
    const auto own = wide(*user_);
    QVERIFY(open(*user_, pooled->id) && open(*user_, own.id));
    QCOMPARE(signal_files(), 2U);
    QVERIFY(service().deallocate(user_->caller(), own.id, false).value());
    QCOMPARE(signal_files(), 1U);
    QVERIFY(service().deallocate(user_->caller(), pooled->id, false).value());
    bench_->restart();
    QCOMPARE(signal_files(), 0U);
}

void SignalStoreTest::a_watch_is_decided_by_a_change_that_nobody_reported() {
    const auto region = user_->allocate(100);
    auto mapped = open(*user_, region->id);
    const auto line = service().signals().open_events(user_->caller());
    auto& signals = service().signals();
    QVERIFY(!signals.watch(user_->caller(), region->id, 0, 1)->decided);
    QVERIFY(signals.watch(user_->caller(), region->id, 9, 2)->decided);  // another already
    service().tick(state().registry.time());
    QVERIFY(taken(*user_).empty());
    QVERIFY((mapped->word->notify() & SignalWord::kWatched) != 0);  // and dies
    service().tick(state().registry.time());
    const auto notes = taken(*user_);
    QCOMPARE(notes.size(), 1U);
    QCOMPARE(notes.front().ticket, 1U);
    QCOMPARE(notes.front().now, 1U);
    QVERIFY(!notes.front().lock && notes.front().code == ErrorCode{});
    QCOMPARE(signals.watches(), 0U);
    QCOMPARE(mapped->word->notify() & SignalWord::kWatched, 0U);  // nobody waits any more
}

void SignalStoreTest::a_watch_ends_with_its_region_and_with_its_client() {
    Program other(bench_->service, kUser);
    const auto region = user_->allocate(100), kept = user_->allocate(100);
    auto& signals = service().signals();
    const auto line = signals.open_events(user_->caller());
    const auto others = signals.open_events(other.caller());
    QVERIFY(line && others);
    QVERIFY(!signals.watch(user_->caller(), region->id, 0, 1)->decided);
    QVERIFY(!signals.watch(other.caller(), region->id, 0, 1)->decided);
    QVERIFY(!signals.watch(other.caller(), kept->id, 0, 2)->decided);
    other.die();
    QVERIFY(service().reap_if_dead(other.client()));
    QCOMPARE(signals.watches(), 1U);
    QVERIFY(service().deallocate(user_->caller(), region->id, false).value());
    const auto notes = taken(*user_);
    QCOMPARE(notes.size(), 1U);
    QCOMPARE(notes.front().code, ErrorCode::region_not_found);
    QCOMPARE(signals.watches(), 0U);
}

void SignalStoreTest::a_watch_that_is_repeated_is_one() {
    const auto region = user_->allocate(100);
    auto mapped = open(*user_, region->id);
    auto& signals = service().signals();
    const auto line = signals.open_events(user_->caller());
    for (int i = 0; i < 3; ++i) QVERIFY(!signals.watch(user_->caller(), region->id, 0, 1)->decided);
    QCOMPARE(signals.watches(), 1U);
    signals.cancel(user_->caller(), 1);
    QCOMPARE(signals.watches(), 0U);
    mapped->word->notify();
    service().tick(state().registry.time());
    QVERIFY(taken(*user_).empty());
}

void SignalStoreTest::notes_that_nobody_takes_are_bounded() {
    EventLines lines;
    const auto line = lines.open(1);
    QVERIFY(line);
    for (std::uint64_t i = 0; i < 100'000; ++i) lines.add(1, {.lock = true, .ticket = i});
    const auto taken = lines.take(1);
    QVERIFY(taken.lost && taken.notes.empty());
    lines.add(1, {.ticket = 5});
    QCOMPARE(lines.take(1).notes.size(), 1U);
    QVERIFY(lines.take(2).lost);  // without a line
}

void SignalStoreTest::only_one_system_call_follows_a_dead_waiter() {
    SignalWord word{};
    word.mark(SignalWord::kSleepers);  // and is killed
    QCOMPARE(word.notify(), std::uint64_t{SignalWord::kSleepers});
    QCOMPARE(word.notify(), 0U);
    QCOMPARE(word.counter(), 2U);
    // Any number of threads count each change once.
    std::vector<std::thread> all;
    for (int t = 0; t < 4; ++t)
        all.emplace_back([&] {
            for (int i = 0; i < 10'000; ++i) {
                word.mark(SignalWord::kSleepers);
                word.notify();
            }
        });
    for (auto& one : all) one.join();
    QCOMPARE(word.counter(), 40'002U);
}

QTEST_GUILESS_MAIN(SignalStoreTest)
#include "moc_policy_fixture.cpp"
#include "moc_service_bench.cpp"
#include "tst_signal_store.moc"
