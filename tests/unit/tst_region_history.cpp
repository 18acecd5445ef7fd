// SPDX-License-Identifier: MIT
#include <QtTest>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "events/event_detail.h"
#include "events/region_history.h"

using namespace snakepit::shm;

namespace {

constexpr std::int64_t kStart = 1'700'000'000'000'000;
constexpr std::uint64_t kEpoch = 7;
constexpr std::int64_t kSecond = 1'000'000;

// What is compared of a region.
struct Truth {
    RegionState state = RegionState::live;
    std::uint64_t size = 0, references = 0;
    std::int64_t owner = 0;
    CleanupPolicy cleanup = CleanupPolicy::automatic;
    friend bool operator==(const Truth&, const Truth&) = default;
};
using World = std::map<RegionId, Truth>;

// Rows as a database has them.
class Rows {
  public:
    EventRow& add(EventKind kind, std::int64_t at, const std::string& detail = "{}",
                  const RegionId& id = {}, std::int64_t pid = 0) {
        EventRow row;
        row.seq = ++seq_;
        row.epoch = epoch;
        row.time = {at};
        row.kind = kind;
        row.result = "ok";
        row.detail = detail;
        row.pid = pid;
        if (id.valid()) row.region_id = id.str();
        return rows_.emplace_back(std::move(row));
    }
    void allocate(const RegionId& id, std::int64_t at, std::int64_t pid = 100) {
        add(EventKind::allocated, at, R"({"size":4096,"process":"p","cleanup":"automatic"})", id,
            pid);
    }
    void free(const RegionId& id, std::int64_t at) { add(EventKind::freed, at, "{}", id); }
    void remove_first(std::size_t count) {
        rows_.erase(rows_.begin(), rows_.begin() + static_cast<std::ptrdiff_t>(count));
    }

    RegionHistory::Read reader() {
        return [this](const EventQuery& query) -> Result<std::vector<EventRow>> {
            std::vector<EventRow> out;
            const auto wanted = [&](const EventRow& row) {
                return row.seq > query.after_seq &&
                       (query.kinds.empty() ||
                        std::count(query.kinds.begin(), query.kinds.end(), row.kind) > 0);
            };
            if (query.newest_first) {
                for (auto row = rows_.rbegin(); row != rows_.rend(); ++row)
                    if (wanted(*row) && std::ssize(out) < query.limit) out.push_back(*row);
            } else {
                const auto first = std::upper_bound(
                    rows_.begin(), rows_.end(), query.after_seq,
                    [](std::int64_t seq, const EventRow& row) { return seq < row.seq; });
                for (auto row = first; row != rows_.end() && std::ssize(out) < query.limit; ++row)
                    if (wanted(*row)) out.push_back(*row);
            }
            read += out.size();
            return out;
        };
    }

    std::uint64_t epoch = kEpoch;
    std::size_t read = 0;  // rows, by all questions

  private:
    std::int64_t seq_ = 0;
    std::vector<EventRow> rows_;
};

RegionId id_of(std::uint64_t number, std::int64_t micros = kStart) {
    return {static_cast<std::uint64_t>(micros), number};
}

bool on(std::int64_t) {
    return true;
}

World seen(const PastState& state) {
    World out;
    for (const auto& region : state.regions)
        out[region->id] = {region->state, region->size, region->references, region->owner_pid,
                           region->made_as.cleanup_policy};
    return out;
}

PastState state_at(RegionHistory& history, std::int64_t moment,
                   const std::optional<std::vector<RegionInfo>>& present = std::nullopt) {
    auto state = history.at({moment}, present, on);
    return state ? std::move(*state) : PastState{};
}

std::set<std::uint64_t> numbers(const PastState& state) {
    std::set<std::uint64_t> out;
    for (const auto& region : state.regions) out.insert(region->id.random);
    return out;
}

RegionInfo info_of(const RegionId& id) {
    RegionInfo info;
    info.id = id;
    info.created_at = {static_cast<std::int64_t>(id.micros)};
    info.size = 77;
    return info;
}

// A world that lives at random, the rows it leaves, and what it was like after each of them.
class RandomWorld {
  public:
    explicit RandomWorld(unsigned seed) : random_(seed) {}

    void run(int steps, Rows& rows) {
        for (int i = 0; i < steps; ++i) {
            // Several rows at one moment, too.
            time_ += random_() % 3 == 0 ? 0 : static_cast<std::int64_t>(random_() % kSecond);
            step(rows);
            after_.emplace_back(time_, world_);
        }
    }
    const World& at(std::int64_t moment) const {
        static const World nothing;
        const auto next =
            std::upper_bound(after_.begin(), after_.end(), moment,
                             [](std::int64_t at, const auto& state) { return at < state.first; });
        return next == after_.begin() ? nothing : std::prev(next)->second;
    }
    std::int64_t some_moment() {
        return kStart + static_cast<std::int64_t>(random_() % (time_ - kStart + kSecond));
    }
    std::int64_t time() const { return time_; }

  private:
    RegionId some_region() {
        auto place = world_.begin();
        std::advance(place, static_cast<std::ptrdiff_t>(random_() % world_.size()));
        return place->first;
    }
    void allocate(Rows& rows) {
        // Now and then an id that was used before.
        const auto id = freed_.empty() || random_() % 8 != 0 ? id_of(++next_, time_)
                                                             : freed_[random_() % freed_.size()];
        if (world_.contains(id)) return;
        const auto cleanup = static_cast<CleanupPolicy>(random_() % 3);
        const Truth truth{RegionState::live, random_() % 100'000, 0,
                          static_cast<std::int64_t>(random_() % 1000), cleanup};
        world_[id] = truth;
        rows.add(EventKind::allocated, time_,
                 QStringLiteral(R"({"size":%1,"process":"p","cleanup":"%2"})")
                     .arg(truth.size)
                     .arg(QString::fromStdString(std::string(to_string(cleanup))))
                     .toStdString(),
                 id, truth.owner);
    }
    void step(Rows& rows) {
        if (world_.size() < 3 || (world_.size() < 60 && random_() % 3 == 0)) return allocate(rows);
        const auto id = some_region();
        auto& region = world_[id];
        switch (random_() % 8) {
            case 0:
                rows.free(id, time_);
                freed_.push_back(id);
                world_.erase(id);
                break;
            case 1:
                if (region.state != RegionState::live) return;
                region.state = RegionState::orphan;
                rows.add(EventKind::owner_gone, time_,
                         QStringLiteral(R"({"policy":"%1"})")
                             .arg(QString::fromStdString(std::string(to_string(region.cleanup))))
                             .toStdString(),
                         id, region.owner);
                break;
            case 2:
                if (region.state == RegionState::quarantined) return;
                region.state = RegionState::closing;
                rows.add(EventKind::withdrawn, time_, R"({"references":1})", id);
                break;
            case 3:
                if (region.state != RegionState::live) return;
                region.state = RegionState::quarantined;
                region.references = 0;
                rows.add(EventKind::quarantined, time_, R"({"size":1,"reason":"x"})", id);
                break;
            case 4:
                if (region.state != RegionState::quarantined) return;
                region.state = RegionState::live;
                rows.add(EventKind::restored, time_, R"({"process":"p"})", id);
                break;
            case 5:
                rows.add(EventKind::mapped, time_, R"({"access":"read_only"})",
                         id);  // tells nothing
                break;
            default:
                if (region.state == RegionState::quarantined) return;
                region.references = random_() % 5;
                rows.add(EventKind::references, time_,
                         QStringLiteral(R"({"count":%1,"holders":[]})")
                             .arg(region.references)
                             .toStdString(),
                         id);
        }
    }

    std::mt19937_64 random_;
    std::int64_t time_ = kStart;
    std::uint64_t next_ = 0;
    World world_;
    std::vector<RegionId> freed_;
    std::vector<std::pair<std::int64_t, World>> after_;
};

}  // namespace

class TestRegionHistory : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void every_moment_of_a_random_history_is_as_it_was_data();
    void every_moment_of_a_random_history_is_as_it_was();
    void a_later_answer_reads_a_small_part();
    void states_that_are_kept_stay_within_their_limit();
    void a_region_whose_end_was_lost_is_not_drawn_after_the_gap();
    void a_region_from_before_the_first_row_is_there_as_far_as_it_is_known();
    void rows_that_are_removed_shorten_what_is_known();
    void a_new_registry_begins_with_nothing();
    void a_manager_that_stopped_is_not_running();
    void programs_come_and_go();
    void a_clock_that_was_wrong_leaves_the_other_moments_as_they_were();
    void a_search_ends_when_nobody_waits_and_the_next_one_goes_on();
    void another_database_is_read_from_its_beginning();
    void how_a_region_was_made_survives_in_its_event();
};

void TestRegionHistory::every_moment_of_a_random_history_is_as_it_was_data() {
    QTest::addColumn<unsigned>("seed");
    QTest::addColumn<int>("stride");
    for (unsigned seed = 1; seed <= 6; ++seed)
        for (const int stride : {1, 50, 100'000})
            QTest::addRow("seed %u, a state every %d rows", seed, stride) << seed << stride;
}

void TestRegionHistory::every_moment_of_a_random_history_is_as_it_was() {
    QFETCH(unsigned, seed);
    QFETCH(int, stride);
    Rows rows;
    RandomWorld world(seed);
    RegionHistory history(rows.reader(), {static_cast<std::size_t>(stride), 2000});
    for (int part = 0; part < 3; ++part) {  // it grows between the answers
        world.run(700, rows);
        for (int i = 0; i < 60; ++i) {
            const auto moment = world.some_moment();
            const auto state = state_at(history, moment);
            QVERIFY(state.recorded || world.at(moment).empty());
            QCOMPARE(state.not_known, 0U);
            QVERIFY2(seen(state) == world.at(moment), qPrintable(QString::number(moment - kStart)));
        }
    }
}

void TestRegionHistory::a_later_answer_reads_a_small_part() {
    Rows rows;
    RandomWorld world(3);
    world.run(40'000, rows);
    constexpr std::size_t kStride = 1000;
    RegionHistory history(rows.reader(), {kStride, 1'000'000});
    (void)state_at(history, world.time());
    for (int i = 0; i < 20; ++i) {
        rows.read = 0;
        const auto moment = world.some_moment();
        QVERIFY(seen(state_at(history, moment)) == world.at(moment));
        QVERIFY2(rows.read <= kStride + 2 * RegionHistory::kPage,
                 qPrintable(QString::number(rows.read)));
    }
}

void TestRegionHistory::states_that_are_kept_stay_within_their_limit() {
    Rows rows;
    for (std::uint64_t i = 1; i <= 2000; ++i)
        rows.allocate(id_of(i), kStart + static_cast<std::int64_t>(i) * kSecond);
    RegionHistory history(rows.reader(), {10, 5000});
    for (const std::int64_t i : {2000, 1, 999, 1500, 10}) {
        const auto state = state_at(history, kStart + i * kSecond);
        QCOMPARE(state.regions.size(), static_cast<std::size_t>(i));
    }
    QVERIFY(history.kept_regions() > 0 && history.kept_regions() <= 5000);
}

void TestRegionHistory::a_region_whose_end_was_lost_is_not_drawn_after_the_gap() {
    Rows rows;
    for (const std::uint64_t number : {1, 2, 3}) rows.allocate(id_of(number), kStart);
    rows.add(EventKind::gap, kStart + 10 * kSecond, R"({"lost":5})");
    rows.add(EventKind::references, kStart + 20 * kSecond, R"({"count":1,"holders":[]})", id_of(2));
    rows.allocate(id_of(4), kStart + 30 * kSecond);
    RegionHistory history(rows.reader());
    const std::optional present{
        std::vector{info_of(id_of(2)), info_of(id_of(3)), info_of(id_of(4))}};

    const auto before = state_at(history, kStart + 9 * kSecond, present);
    QCOMPARE(numbers(before), (std::set<std::uint64_t>{1, 2, 3}));
    QCOMPARE(before.not_known, 0U);
    // 1 is not there now, and no event says when it ended; 2 was mentioned later, 3 is there now.
    const auto after = state_at(history, kStart + 15 * kSecond, present);
    QCOMPARE(numbers(after), (std::set<std::uint64_t>{2, 3}));
    QCOMPARE(after.not_known, 1U);
    QCOMPARE(after.lost, 5U);
    // Nobody can say what is there now.
    const auto unsure = state_at(history, kStart + 40 * kSecond);
    QCOMPARE(numbers(unsure), (std::set<std::uint64_t>{2, 4}));
    QCOMPARE(unsure.not_known, 2U);
    // The registry ended, and with it what was known of 1.
    rows.epoch = kEpoch + 1;
    rows.add(EventKind::manager_started, kStart + 50 * kSecond);
    QCOMPARE(numbers(state_at(history, kStart + 15 * kSecond)), (std::set<std::uint64_t>{2}));
    QCOMPARE(state_at(history, kStart + 60 * kSecond, present).not_known, 0U);
}

void TestRegionHistory::a_region_from_before_the_first_row_is_there_as_far_as_it_is_known() {
    Rows rows;
    rows.allocate(id_of(9, kStart + 10), kStart + 10);
    rows.add(EventKind::references, kStart + 10 * kSecond, R"({"count":2,"holders":[]})",
             id_of(1, kStart - 5));
    rows.free(id_of(2, kStart - 6), kStart + 11 * kSecond);
    RegionHistory history(rows.reader());
    const std::optional present{std::vector{info_of(id_of(3, kStart - 7))}};
    const auto early = state_at(history, kStart + 5 * kSecond, present);
    QCOMPARE(numbers(early), (std::set<std::uint64_t>{1, 2, 3, 9}));
    for (const auto& region : early.regions) {
        QCOMPARE((region->unknown & kPartReferences) != 0, region->id.random != 9);
        QCOMPARE((region->unknown & kPartSize) != 0, region->id.random < 3);
        QCOMPARE(region->size, region->id.random == 3 ? 77U : region->id.random == 9 ? 4096U : 0U);
    }
    const auto later = state_at(history, kStart + 12 * kSecond, present);
    QCOMPARE(numbers(later), (std::set<std::uint64_t>{1, 3, 9}));
    QVERIFY(!state_at(history, kStart - 1, present).recorded);
}

void TestRegionHistory::rows_that_are_removed_shorten_what_is_known() {
    Rows rows;
    for (std::uint64_t i = 1; i <= 300; ++i)
        rows.allocate(id_of(i), kStart + static_cast<std::int64_t>(i) * kSecond);
    RegionHistory history(rows.reader(), {50, 1'000'000});
    QCOMPARE(state_at(history, kStart + 20 * kSecond).regions.size(), 20U);
    rows.remove_first(120);
    QVERIFY(!state_at(history, kStart + 20 * kSecond).recorded);
    // From the first state on whose rows are all there.
    QVERIFY(!state_at(history, kStart + 130 * kSecond).recorded);
    const auto state = state_at(history, kStart + 160 * kSecond);
    QVERIFY(state.recorded);
    QCOMPARE(state.regions.size(), 160U);
    QCOMPARE(state.first.micros, kStart + 150 * kSecond);
}

void TestRegionHistory::a_new_registry_begins_with_nothing() {
    Rows rows;
    rows.allocate(id_of(1), kStart);
    rows.epoch = kEpoch + 1;
    rows.add(EventKind::registry_reset, kStart + kSecond, R"({"reason":"it was damaged"})");
    rows.add(EventKind::durable_restored, kStart + 2 * kSecond, R"({"size":8})", id_of(2));
    RegionHistory history(rows.reader());
    QCOMPARE(numbers(state_at(history, kStart)), (std::set<std::uint64_t>{1}));
    QVERIFY(numbers(state_at(history, kStart + kSecond)).empty());
    const auto last = state_at(history, kStart + 3 * kSecond);
    QCOMPARE(numbers(last), (std::set<std::uint64_t>{2}));
    QVERIFY(last.regions.front()->durable);
    QCOMPARE(last.regions.front()->size, 8U);
}

void TestRegionHistory::a_manager_that_stopped_is_not_running() {
    using State = PastManager::State;
    Rows rows;
    rows.allocate(id_of(1), kStart);
    rows.add(EventKind::manager_stopped, kStart + kSecond, "{}", {}, 11);
    rows.add(EventKind::manager_started, kStart + 9 * kSecond, R"({"clients":0,"regions":1})", {},
             12);
    RegionHistory history(rows.reader());
    QVERIFY(state_at(history, kStart).manager.state == State::unknown);
    const auto stopped = state_at(history, kStart + 5 * kSecond);
    QVERIFY(stopped.manager.state == State::stopped);
    QCOMPARE(stopped.manager.since.micros, kStart + kSecond);
    QCOMPARE(numbers(stopped), (std::set<std::uint64_t>{1}));
    const auto running = state_at(history, kStart + 9 * kSecond);
    QVERIFY(running.manager.state == State::running);
    QCOMPARE(running.manager.pid, 12);
}

void TestRegionHistory::programs_come_and_go() {
    Rows rows;
    rows.add(EventKind::client_connected, kStart, R"({"process":"a"})", {}, 1);
    rows.add(EventKind::client_connected, kStart, R"({"process":"b"})", {}, 2);
    rows.add(EventKind::client_disconnected, kStart + kSecond, R"({"process":"a"})", {}, 1);
    rows.add(EventKind::client_resumed, kStart + 2 * kSecond, R"({"process":"a"})", {}, 1);
    rows.add(EventKind::client_gone, kStart + 3 * kSecond, R"({"process":"b"})", {}, 2);
    RegionHistory history(rows.reader());
    const auto at = [&](std::int64_t second) {
        QStringList out;
        for (const auto& program : state_at(history, kStart + second * kSecond).programs)
            out << QString::fromStdString(program.process) + (program.connected ? "+" : "-");
        return out.join(QLatin1Char(' '));
    };
    QCOMPARE(at(0), QStringLiteral("a+ b+"));
    QCOMPARE(at(1), QStringLiteral("a- b+"));
    QCOMPARE(at(2), QStringLiteral("a+ b+"));
    QCOMPARE(at(3), QStringLiteral("a+"));
}

void TestRegionHistory::a_clock_that_was_wrong_leaves_the_other_moments_as_they_were() {
    constexpr std::int64_t kHour = 3600 * kSecond;
    for (const std::int64_t wrong : {1000 * kHour, -1000 * kHour}) {
        Rows rows;
        rows.allocate(id_of(1), kStart);
        rows.allocate(id_of(2), kStart + kHour);
        rows.allocate(id_of(3), kStart + wrong);  // an hour later, in truth
        rows.allocate(id_of(4), kStart + wrong + 60 * kSecond);
        rows.allocate(id_of(5), kStart + 3 * kHour);
        RegionHistory history(rows.reader());
        QCOMPARE(numbers(state_at(history, kStart + kHour / 2)).size(), 1U);
        QCOMPARE(numbers(state_at(history, kStart + 2 * kHour)).size(), 2U);
        QCOMPARE(numbers(state_at(history, kStart + 3 * kHour)).size(), 5U);
    }
}

void TestRegionHistory::a_search_ends_when_nobody_waits_and_the_next_one_goes_on() {
    Rows rows;
    RandomWorld world(5);
    world.run(3 * RegionHistory::kPage, rows);
    RegionHistory history(rows.reader());
    int pages = 0;
    const auto ended =
        history.at({world.time()}, std::nullopt, [&](std::int64_t) { return ++pages < 2; });
    QVERIFY(!ended && ended.error().code == ErrorCode::timeout);
    QCOMPARE(pages, 2);
    for (int i = 0; i < 5; ++i) {
        const auto moment = world.some_moment();
        QVERIFY(seen(state_at(history, moment)) == world.at(moment));
    }
}

void TestRegionHistory::another_database_is_read_from_its_beginning() {
    Rows rows;
    rows.allocate(id_of(1), kStart);
    rows.allocate(id_of(2), kStart);
    RegionHistory history(rows.reader());
    QCOMPARE(numbers(state_at(history, kStart)).size(), 2U);
    rows = Rows();
    rows.allocate(id_of(3), kStart);
    QCOMPARE(numbers(state_at(history, kStart)), (std::set<std::uint64_t>{3}));
}

void TestRegionHistory::how_a_region_was_made_survives_in_its_event() {
    layout::AllocatedAs as;
    as.cleanup_policy = CleanupPolicy::manual;
    as.owner_end = OwnerEnd::withdraw;
    as.security_level = SecurityLevel::maximum;
    as.access_mode = AccessMode::read_only;
    as.permissions = {Permission::read_write, Permission::read_only, Permission::none};
    for (const auto& made : {as, layout::AllocatedAs()}) {
        layout::EventEntry entry{};
        entry.kind = static_cast<std::uint16_t>(EventKind::allocated);
        std::string_view("python\0worker\0my name", 21).copy(entry.text, sizeof entry.text);
        entry.count = layout::allocated_count(7, made);
        entry.value = 4096;
        Rows rows;
        auto& row = rows.add(EventKind::allocated, kStart, "", id_of(1), 42);
        write_detail(row.detail, entry);
        RegionHistory history(rows.reader());
        const auto state = state_at(history, kStart);
        QCOMPARE(state.regions.size(), 1U);
        const auto& region = *state.regions.front();
        QVERIFY2(region.made_as == made, row.detail.c_str());
        QCOMPARE(region.name, std::string("my name"));
        QCOMPARE(region.worker, std::string("worker"));
        QCOMPARE(region.owner_pid, 42);
        QCOMPARE(region.unknown & kPartOptions, 0U);
    }
    // An older manager did not tell.
    Rows rows;
    rows.add(EventKind::allocated, kStart, R"({"size":1,"process":"p"})", id_of(1));
    RegionHistory history(rows.reader());
    QVERIFY(state_at(history, kStart).regions.front()->unknown & kPartOptions);
}

QTEST_GUILESS_MAIN(TestRegionHistory)
#include "tst_region_history.moc"
