// SPDX-License-Identifier: MIT
// Regions that clients allocate and free without asking, among real processes, some of which are
// killed.
#include <sys/wait.h>
#include <unistd.h>

#include <QtTest>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "../security/raw_client.h"
#include "base/time.h"
#include "client/manager_client.h"
#include "from_environment.h"
#include "layout/lease_page.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using test::kPatienceMs;
using test::Peer;

namespace {

constexpr std::uint64_t kSize = 4096;
constexpr int kWarm = 40;  // allocations after which a size is in the stash for certain

std::unique_ptr<ManagerClient> new_client() {
    auto client = ManagerClient::connect({.timeout_ms = kPatienceMs});
    return client ? std::move(*client) : nullptr;
}

// A program that has a stash: obeys lines on standard input, each with one line of answer.
//   allocate        "ID ROUND_TRIPS", or the error's code
//   free ID         "ok ROUND_TRIPS", or the code
//   clean ID        "clean" or "dirty"; leaves it full of ones
//   storm SEED      allocates, maps, writes and frees at random until it is killed; says nothing
class Stasher {
  public:
    int run() {
        client_ = new_client();
        if (!client_) return 1;
        say("ready");
        std::string line;
        while (std::getline(std::cin, line)) {
            const auto space = line.find(' ');
            const auto word = line.substr(0, space);
            const auto rest = space == std::string::npos ? std::string() : line.substr(space + 1);
            if (word == "allocate") {
                const auto id = client_->allocate(kSize);
                say(id ? id->str() + trips() : std::string(to_string(id.error().code)));
            } else if (word == "free") {
                const auto done = client_->deallocate(*RegionId::parse(rest));
                say(done ? "ok" + trips() : std::string(to_string(done.error().code)));
            } else if (word == "clean") {
                say(clean(*RegionId::parse(rest)) ? "clean" : "dirty");
            } else if (word == "storm") {
                storm(static_cast<unsigned>(std::stoul(rest)));
            }
        }
        return 0;
    }

  private:
    static void say(const std::string& text) { std::cout << text << std::endl; }
    std::string trips() const { return " " + std::to_string(client_->round_trips()); }
    bool clean(const RegionId& id) {
        const auto mapped = client_->map(id, AccessMode::read_write);
        if (!mapped) return false;
        const bool zero = std::all_of(mapped->data, mapped->data + mapped->size,
                                      [](std::byte byte) { return byte == std::byte{0}; });
        std::fill_n(mapped->data, mapped->size, std::byte{1});
        (void)client_->unmap(*mapped);
        return zero;
    }
    void storm(unsigned seed) {
        std::minstd_rand random(seed);
        std::vector<RegionId> mine;
        for (;;) {
            if (mine.size() < 12 && random() % 2 == 0) {
                if (const auto id = client_->allocate(kSize)) mine.push_back(*id);
            } else if (!mine.empty()) {
                const auto at = random() % mine.size();
                if (random() % 4 == 0 && !clean(mine[at]) && random() % 8 == 0) ::usleep(300);
                (void)client_->deallocate(mine[at]);
                mine.erase(mine.begin() + static_cast<std::ptrdiff_t>(at));
            }
        }
    }
    std::unique_ptr<ManagerClient> client_;
};

}  // namespace

class StashTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup() {
        peers_.clear();
        client_.reset();
        service_.reset();
    }

    void a_burst_asks_nobody_and_is_recorded_once();
    void a_region_is_found_from_its_first_moment_to_its_last();
    void every_new_region_is_zero();
    void other_options_and_sizes_ask();
    void lists_have_the_newest_last_whatever_their_ids();
    void a_killed_program_leaves_its_regions_and_nothing_else();
    void a_killed_manager_loses_and_invents_nothing();
    void nobody_is_refused_for_what_a_stash_has();
    void what_is_not_used_is_taken_back();
    void threads_share_a_stash();
    void a_forked_child_has_no_part_in_it();
    void a_region_that_is_mapped_is_not_taken_for_another();
    void nonsense_in_the_words_harms_its_writer_alone();
    void everybody_is_killed_at_random();

  private:
    // A program with a warm stash.
    Peer& stasher() {
        peers_.push_back(
            std::make_unique<Peer>(QCoreApplication::applicationFilePath(), QStringList{"stasher"},
                                   service_->host().environment(service_->instance())));
        auto& peer = *peers_.back();
        if (peer.line() != "ready") qWarning("the program is not ready");
        warm(peer);
        return peer;
    }
    static QString allocate(Peer& peer, qint64* trips = nullptr) {
        const auto words = peer.ask("allocate").split(' ');
        if (trips) *trips = words.value(1).toLongLong();
        return words.first();
    }
    static void warm(Peer& peer) {
        QStringList made;
        for (int i = 0; i < kWarm; ++i) made += allocate(peer);
        for (const auto& id : made) peer.ask("free " + id);
        // Until one comes without a request.
        for (int i = 0; i < kWarm; ++i) {
            qint64 before = 0, after = 0;
            peer.ask("free " + allocate(peer, &before));
            peer.ask("free " + allocate(peer, &after));
            if (before == after) return;
        }
    }
    static RegionId id_of(const QString& text) {
        return RegionId::parse(text.toStdString()).value();
    }
    bool known(const QString& id) { return client_->info(id_of(id)).has_value(); }
    QJsonArray events(const QString& kind) {
        return service_->cli_json({"events", "--kind", kind, "--limit", "100000"})
            .value("events")
            .toArray();
    }
    qint64 recorded() {
        qint64 sum = events("allocated").size();
        for (const auto& event : events("transient")) sum += event[u"detail"][u"count"].toInteger();
        return sum;
    }
    std::uint64_t regions() { return client_->list().value().size(); }

    std::unique_ptr<test::Service> service_;
    std::unique_ptr<ManagerClient> client_;
    std::vector<std::unique_ptr<Peer>> peers_;
};

void StashTest::init() {
    service_ = std::make_unique<test::Service>();
    QVERIFY(service_->start());
    service_->host().use_in_this_process(service_->instance());
    client_ = new_client();
    QVERIFY(client_);
}

void StashTest::a_burst_asks_nobody_and_is_recorded_once() {
    constexpr int kPairs = 10'000;
    std::set<std::string> ids;
    const auto pair = [&] {
        const auto id = client_->allocate(kSize);
        QVERIFY(id.has_value());
        ids.insert(id->str());
        QVERIFY(client_->deallocate(*id).value());
    };
    for (int i = 0; i < kWarm; ++i) pair();
    const auto before = client_->round_trips();
    for (int i = 0; i < kPairs; ++i) pair();
    const auto asked = client_->round_trips() - before;
    QVERIFY2(asked < kPairs / 20, qPrintable(QString::number(asked)));
    QCOMPARE(int(ids.size()), kPairs + kWarm);  // no id twice
    client_.reset();
    client_ = new_client();
    QTRY_COMPARE_WITH_TIMEOUT(recorded(), qint64{kPairs + kWarm}, kPatienceMs);
    for (const auto& event : events("transient")) {
        const auto detail = event[u"detail"];
        QCOMPARE(detail[u"bytes"].toInteger(), detail[u"count"].toInteger() * qint64{kSize});
        QVERIFY(detail[u"first"].toString() <= detail[u"last"].toString());
    }
    QCOMPARE(regions(), 0U);
}

void StashTest::a_region_is_found_from_its_first_moment_to_its_last() {
    auto& peer = stasher();
    for (int i = 0; i < 50; ++i) {
        qint64 before = 0, after = 0;
        const auto kept = allocate(peer, &before), freed = allocate(peer, &after);
        QCOMPARE(peer.ask("free " + freed).section(' ', 0, 0), "ok");
        QVERIFY2(known(kept), qPrintable(kept));
        QVERIFY2(!known(freed), qPrintable(freed));
        const auto again = allocate(peer);
        QVERIFY(again != freed);
        QVERIFY(!known(freed));
        const auto mapped = client_->map(id_of(again), AccessMode::read_write);
        QVERIFY(mapped.has_value());
        QCOMPARE(peer.ask("free " + again).section(' ', 0, 0), "ok");
        QVERIFY(!client_->map(id_of(again), AccessMode::read_only).has_value());
        QVERIFY(client_->unmap(*mapped).has_value());
        QCOMPARE(peer.ask("free " + kept).section(' ', 0, 0), "ok");
        QVERIFY(!known(kept));
    }
}

void StashTest::every_new_region_is_zero() {
    auto& peer = stasher();
    for (int i = 0; i < 100; ++i) {
        const auto id = allocate(peer);
        if (i % 3 == 0) {  // somebody else writes there
            const auto mapped = client_->map(id_of(id), AccessMode::read_write);
            QVERIFY(mapped.has_value());
            std::fill_n(mapped->data, mapped->size, std::byte{2});
            QVERIFY(client_->unmap(*mapped).has_value());
        } else {
            QCOMPARE(peer.ask("clean " + id), "clean");
        }
        QCOMPARE(peer.ask("free " + id).section(' ', 0, 0), "ok");
    }
}

void StashTest::other_options_and_sizes_ask() {
    for (int i = 0; i < kWarm; ++i) QVERIFY(client_->deallocate(client_->allocate(kSize).value()));
    RegionOptions named;
    named.name = "its name";
    auto before = client_->round_trips();
    const auto id = client_->allocate(kSize, named);
    QVERIFY(id.has_value());
    QCOMPARE(client_->info(*id)->name, "its name");
    QVERIFY(client_->round_trips() > before);
    before = client_->round_trips();
    const auto other = client_->allocate(kSize + 1);
    QVERIFY(other.has_value());
    QVERIFY(client_->round_trips() > before);
    QCOMPARE(client_->info(*other)->size, kSize + 1);
    QVERIFY(client_->deallocate(*id) && client_->deallocate(*other));
}

void StashTest::lists_have_the_newest_last_whatever_their_ids() {
    for (int i = 0; i < kWarm; ++i) QVERIFY(client_->deallocate(client_->allocate(kSize).value()));
    RegionOptions named;
    named.name = "older";
    const auto older = client_->allocate(kSize, named).value();
    const auto newer = client_->allocate(kSize).value();
    QVERIFY(newer < older);  // its slot was granted before
    const auto all = client_->list().value();
    QCOMPARE(all.size(), std::size_t{2});
    QCOMPARE(all[0].id.str(), older.str());
    QCOMPARE(all[1].id.str(), newer.str());
    QVERIFY(client_->deallocate(older) && client_->deallocate(newer));
}

void StashTest::a_killed_program_leaves_its_regions_and_nothing_else() {
    auto& peer = stasher();
    QSet<QString> kept;
    for (int i = 0; i < 10; ++i) {
        kept += allocate(peer);
        QCOMPARE(peer.ask("free " + allocate(peer)).section(' ', 0, 0), "ok");
    }
    QCOMPARE(peer.end(SIGKILL).status, -SIGKILL);
    const auto orphans = [&] {
        QSet<QString> out;
        for (const auto& region : client_->list().value())
            if (region.state == RegionState::orphan) out += QString::fromStdString(region.id.str());
        return out;
    };
    QTRY_COMPARE_WITH_TIMEOUT(orphans(), kept, kPatienceMs);
    QCOMPARE(regions(), std::uint64_t(kept.size()));
}

void StashTest::a_killed_manager_loses_and_invents_nothing() {
    auto& peer = stasher();
    const auto before = allocate(peer), freed = allocate(peer);
    QCOMPARE(peer.ask("free " + freed).section(' ', 0, 0), "ok");
    service_->kill();
    const auto meanwhile = allocate(peer), gone = allocate(peer);  // nobody is there to ask
    QCOMPARE(peer.ask("free " + gone).section(' ', 0, 0), "ok");
    QVERIFY(service_->start());
    for (const auto& id : {before, meanwhile}) QVERIFY2(known(id), qPrintable(id));
    for (const auto& id : {freed, gone}) QVERIFY2(!known(id), qPrintable(id));
    QCOMPARE(regions(), 2U);
    for (const auto& id : {before, meanwhile})
        QCOMPARE(peer.ask("free " + id).section(' ', 0, 0), "ok");
    QCOMPARE(regions(), 0U);
    QVERIFY(client_->report("health").has_value());
}

void StashTest::nobody_is_refused_for_what_a_stash_has() {
    service_->stop();
    service_->host().configure("max_total_memory = \"1MiB\"\nmax_regions_per_process = 1000");
    QVERIFY(service_->start());
    (void)stasher();
    std::vector<RegionId> all;
    for (int i = 0; i < 256; ++i) {
        const auto id = client_->allocate(kSize);
        QVERIFY2(id.has_value(), id ? "" : id.error().message.c_str());
        all.push_back(*id);
    }
    QCOMPARE(client_->allocate(kSize).error().code, ErrorCode::memory_limit_exceeded);
    for (const auto& id : all) QVERIFY(client_->deallocate(id).value());
}

void StashTest::what_is_not_used_is_taken_back() {
    auto& peer = stasher();
    const auto reserved = [&] {
        return service_->cli_json({"status"})[u"bytes_used"].toInteger(-1);
    };
    QVERIFY(reserved() > 0);
    QTRY_COMPARE_WITH_TIMEOUT(reserved(), qint64{0}, kPatienceMs);
    const auto id = allocate(peer);  // asks
    QVERIFY(known(id));
    QCOMPARE(peer.ask("free " + id).section(' ', 0, 0), "ok");
}

void StashTest::threads_share_a_stash() {
    constexpr int kThreads = 4, kRounds = 2000;
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t)
        threads.emplace_back([&, t] {
            std::minstd_rand random(static_cast<unsigned>(t) + 1);
            std::vector<RegionId> mine;
            const auto mark = static_cast<std::byte>(t + 1);
            const auto check = [&](const RegionId& id, std::byte before) {
                const auto mapped = client_->map(id, AccessMode::read_write);
                if (!mapped || mapped->data[0] != before || mapped->data[kSize - 1] != before)
                    ++wrong;
                if (!mapped) return;
                std::fill_n(mapped->data, kSize, mark);
                if (!client_->unmap(*mapped)) ++wrong;
            };
            for (int i = 0; i < kRounds; ++i) {
                const auto id = client_->allocate(kSize);
                if (!id) {
                    ++wrong;
                    continue;
                }
                if (random() % 2) {
                    check(*id, std::byte{0});
                    mine.push_back(*id);
                } else if (!client_->deallocate(*id)) {
                    ++wrong;
                }
                if (mine.size() < 6) continue;
                for (const auto& one : mine) {
                    check(one, mark);
                    if (!client_->deallocate(one)) ++wrong;
                }
                mine.clear();
            }
            for (const auto& one : mine)
                if (!client_->deallocate(one)) ++wrong;
        });
    for (auto& thread : threads) thread.join();
    QCOMPARE(wrong.load(), 0);
    QCOMPARE(regions(), 0U);
}

void StashTest::a_forked_child_has_no_part_in_it() {
    for (int i = 0; i < kWarm; ++i) QVERIFY(client_->deallocate(client_->allocate(kSize).value()));
    const auto id = client_->allocate(kSize).value();
    const auto child = ::fork();
    if (child == 0) {
        const auto made = client_->allocate(kSize);
        const auto freed = client_->deallocate(id);
        ::_exit(!made && made.error().code == ErrorCode::forked && !freed ? 0 : 1);
    }
    int status = -1;
    QCOMPARE(::waitpid(child, &status, 0), child);
    QCOMPARE(status, 0);
    QVERIFY(client_->info(id).has_value());
    QVERIFY(client_->deallocate(id).value());
    QCOMPARE(regions(), 0U);
}

void StashTest::a_region_that_is_mapped_is_not_taken_for_another() {
    for (int i = 0; i < kWarm; ++i) QVERIFY(client_->deallocate(client_->allocate(kSize).value()));
    for (int i = 0; i < 20; ++i) {
        const auto id = client_->allocate(kSize).value();
        const auto mapped = client_->map(id, AccessMode::read_write);
        QVERIFY(mapped.has_value());
        mapped->data[0] = std::byte{9};
        const auto gone = client_->deallocate(id);
        QVERIFY(gone.has_value() && !*gone);  // it ends with the mapping
        const auto next = client_->allocate(kSize).value();
        const auto other = client_->map(next, AccessMode::read_write);
        QVERIFY(other.has_value() && other->data != mapped->data);
        QVERIFY(other->data[0] == std::byte{0} && mapped->data[0] == std::byte{9});
        QVERIFY(client_->unmap(*mapped).has_value() && client_->unmap(*other).has_value());
        QVERIFY(!client_->deallocate(id).has_value());  // once is enough
        QVERIFY(client_->deallocate(next).value());
    }
    QTRY_COMPARE_WITH_TIMEOUT(regions(), 0U, kPatienceMs);
}

void StashTest::nonsense_in_the_words_harms_its_writer_alone() {
    using layout::LeaseWord;
    const auto socket = service_->host().runtime_dir(service_->instance()) + "/control.sock";
    auto raw = RawClient::open(socket.toStdString(), true);
    QVERIFY(raw.valid());
    std::minstd_rand random(7);
    for (int round = 0; round < 30; ++round) {
        wire::AllocateT call;
        call.size = kSize;
        call.default_security_level = true;
        call.stash = 8;
        wire::RequestT request;
        request.call.Set(std::move(call));
        const auto reply = raw.ask(std::move(request), kPatienceMs);
        const auto* granted = reply ? reply->answer.AsGranted() : nullptr;
        QVERIFY(granted);
        const layout::LeasePage page(raw.page());
        for (const auto& one : granted->stash) {
            const auto g = one.generation();
            const std::uint64_t words[] = {
                0,
                ~std::uint64_t{0},
                LeaseWord::kOwn,
                LeaseWord::make(g, 2),
                LeaseWord::make(g, 2) | LeaseWord::kOwn,
                LeaseWord::make(g + 40'000, 0) | LeaseWord::kOwn,
                LeaseWord::make(g | layout::kStashMask, 5) | LeaseWord::kOwn,
                LeaseWord::make(g - 1, 0) | LeaseWord::kOwn,
                LeaseWord::make(g, LeaseWord::kMaxN) | LeaseWord::kOwn | LeaseWord::kClosing,
            };
            page.word(one.slot()).store(words[random() % std::size(words)]);
            page.mark(one.slot());
        }
        raw.take_handle();
        const auto id = client_->allocate(kSize);
        QVERIFY(id.has_value() && client_->deallocate(*id).value());
    }
    raw = RawClient();
    QVERIFY(service_->running());
    // What it made itself is left as any killed program's regions are.
    QTRY_VERIFY_WITH_TIMEOUT(
        std::ranges::all_of(client_->list().value(),
                            [](const auto& one) { return one.state == RegionState::orphan; }),
        kPatienceMs);
    QCOMPARE(service_->cli({"cleanup", "--all-eligible", "--no-quarantine"}).status, 0);
    QCOMPARE(regions(), 0U);
    const auto id = client_->allocate(kSize).value();
    QVERIFY(client_->deallocate(id).value());
}

void StashTest::everybody_is_killed_at_random() {
    const int kills = test::from_environment("SNAKEPIT_STASH_KILLS", 24);
    std::minstd_rand random(static_cast<unsigned>(test::from_environment("SNAKEPIT_SEED", 1)));
    std::vector<Peer*> storming;
    const auto storm = [&] {
        auto& peer = stasher();
        peer.say("storm " + QString::number(random() % 100'000));
        storming.push_back(&peer);
    };
    auto& steady = stasher();
    for (int i = 0; i < 3; ++i) storm();
    for (int i = 0; i < kills; ++i) {
        const auto kept = allocate(steady), freed = allocate(steady);
        QVERIFY2(kept.startsWith("shm_") && freed.startsWith("shm_"),
                 qPrintable(QString("%1 %2 after %3 kills").arg(kept, freed).arg(i)));
        QCOMPARE(steady.ask("free " + freed).section(' ', 0, 0), "ok");
        QTest::qSleep(static_cast<int>(random() % 60));
        if (i % 3 == 0) {
            QVERIFY(service_->restart_after_kill());
        } else {
            const auto at = random() % storming.size();
            storming[at]->end(SIGKILL);
            storming.erase(storming.begin() + static_cast<std::ptrdiff_t>(at));
            storm();
        }
        QVERIFY2(known(kept), qPrintable(kept));
        QVERIFY2(!known(freed), qPrintable(freed));
        QCOMPARE(steady.ask("free " + kept).section(' ', 0, 0), "ok");
        // Restarts begin the orphans' grace period again and again.
        if (i % 40 == 39)
            QCOMPARE(service_->cli({"cleanup", "--orphans", "--no-quarantine"}).status, 0);
    }
    for (auto* peer : storming) peer->end(SIGKILL);
    QTRY_VERIFY_WITH_TIMEOUT(
        std::ranges::all_of(client_->list().value(),
                            [](const auto& one) { return one.state == RegionState::orphan; }),
        kPatienceMs);
    const auto health = service_->cli_json({"health"});
    QVERIFY2(health["problems"].toArray().isEmpty(), QJsonDocument(health).toJson().constData());
    QCOMPARE(events("gap").size(), 0);
}

int main(int argc, char** argv) {
    QCoreApplication application(argc, argv);
    if (argc == 2 && QByteArrayView(argv[1]) == "stasher") return Stasher().run();
    StashTest test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_stash.moc"
