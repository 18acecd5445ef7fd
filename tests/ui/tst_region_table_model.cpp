// SPDX-License-Identifier: GPL-3.0-or-later
// The table's index against a naive oracle, under Qt's model tester.
#include <QAbstractItemModelTester>
#include <QElapsedTimer>
#include <QSignalSpy>
#include <QTest>
#include <map>

#include "patience.h"
#include "synthetic.h"
#include "ui/models/export.h"
#include "ui/models/region_columns.h"
#include "ui/models/region_table_model.h"
#include "ui/models/worker_names.h"

namespace snakepit::shm::ui {

namespace {

// What must be shown, worked out from nothing.
std::vector<RegionKey> expected(const std::map<Slot, RegionRow>& rows, const RegionFilter& filter,
                                int column, Qt::SortOrder order) {
    std::vector<const RegionRow*> kept;
    for (const auto& [slot, row] : rows)
        if (filter.matches(row.info, now())) kept.push_back(&row);
    std::sort(kept.begin(), kept.end(), [&](const auto* a, const auto* b) {
        const auto compared =
            region_column(column).order(*a).compare(region_column(column).order(*b));
        if (compared != 0) return order == Qt::AscendingOrder ? compared < 0 : compared > 0;
        return a->info.id < b->info.id;
    });
    std::vector<RegionKey> keys;
    for (const auto* row : kept) keys.push_back({row->slot, row->generation});
    return keys;
}

std::vector<RegionKey> shown(const RegionTableModel& model) {
    std::vector<RegionKey> keys;
    for (int row = 0; row < model.rowCount(); ++row) keys.push_back(model.entry(row)->key());
    return keys;
}

RegionFilter filter_of(const char* text) {
    return *RegionFilter::parse(text);
}

// Random deltas, mirrored in a plain map.
class Chaos {
  public:
    explicit Chaos(unsigned seed) : random_(seed) {}

    RegistryDelta next(std::size_t changes) {
        RegistryDelta delta;
        if (random_() % 50 == 0) {
            delta.reset = true;
            rows.clear();
        }
        for (std::size_t i = 0; i < changes; ++i) {
            const auto slot = static_cast<Slot>(random_() % 400);
            const auto dice = random_() % 10;
            auto& row = pending_[slot];
            if (dice < 3)
                row = std::nullopt;
            else if (dice < 6 || !rows.contains(slot))
                row = make_region(random_, slot, ++generation_);
            else
                row = changed(rows.at(slot));
        }
        for (auto& [slot, row] : pending_) {
            if (row)
                delta.changed.push_back(rows.insert_or_assign(slot, *row).first->second);
            else if (rows.erase(slot) > 0 || random_() % 2)
                delta.vacated.push_back(slot);
        }
        pending_.clear();
        return delta;
    }

    std::map<Slot, RegionRow> rows;

  private:
    RegionRow changed(RegionRow row) {
        row.info.reference_count = random_() % 10;
        row.info.access_count += random_() % 100;
        if (random_() % 4 == 0) row.info.state = static_cast<RegionState>(random_() % 6);
        if (random_() % 4 == 0) row.info.worker = random_() % 2 ? "renamed" : "";
        return row;
    }

    std::mt19937_64 random_;
    std::uint64_t generation_ = 0;
    std::map<Slot, std::optional<RegionRow>> pending_;
};

}  // namespace

class TestRegionTableModel : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void shows_what_a_naive_filter_and_sort_would_show_data() {
        QTest::addColumn<unsigned>("seed");
        for (unsigned seed = 1; seed <= 6; ++seed) QTest::addRow("seed %u", seed) << seed;
    }

    void shows_what_a_naive_filter_and_sort_would_show() {
        QFETCH(unsigned, seed);
        RegionStore store;
        RegionTableModel model(store);
        QAbstractItemModelTester tester(&model,
                                        QAbstractItemModelTester::FailureReportingMode::QtTest);
        QSignalSpy resets(&model, &QAbstractItemModel::modelReset);
        Chaos chaos(seed);
        std::mt19937_64 random(seed * 77);
        const char* filters[] = {"",
                                 "refs>3",
                                 "state:orphan",
                                 "python",
                                 "-worker:renamed size>1MiB",
                                 "nothing-like-this"};
        RegionFilter filter;
        int column = kColumnId;
        auto order = Qt::AscendingOrder;
        model.sort(column, order);
        for (int step = 0; step < 250; ++step) {
            // Mostly a few changes, sometimes most of the table.
            store.apply(chaos.next(random() % 10 == 0 ? 300 : random() % 8), 1 + step);
            if (random() % 8 == 0)
                model.set_filter(filter = filter_of(filters[random() % std::size(filters)]));
            if (random() % 10 == 0) {
                column = static_cast<int>(random() % kRegionColumns);
                order = random() % 2 ? Qt::AscendingOrder : Qt::DescendingOrder;
                model.sort(column, order);
            }
            QCOMPARE(store.size(), chaos.rows.size());
            QVERIFY2(shown(model) == expected(chaos.rows, filter, column, order),
                     qPrintable(QString::number(step)));
        }
        QCOMPARE(resets.count(), 0);
    }

    void persistent_indexes_follow_their_region() {
        RegionStore store;
        RegionTableModel model(store);
        Chaos chaos(3);
        store.apply(chaos.next(300), 1);
        model.sort(kColumnReferences, Qt::DescendingOrder);
        std::map<RegionKey, QPersistentModelIndex> followed;
        for (int row = 0; row < model.rowCount(); ++row)
            followed[model.entry(row)->key()] = model.index(row, 1);
        for (int step = 0; step < 40; ++step) {
            store.apply(chaos.next(60), 1);
            for (const auto& [key, index] : followed) {
                QCOMPARE(index.isValid(), store.find(key) != nullptr);
                if (index.isValid()) QVERIFY(model.entry(index.row())->key() == key);
            }
        }
    }

    void rows_stay_in_place_while_the_order_is_held() {
        RegionStore store;
        RegionTableModel model(store);
        std::mt19937_64 random(5);
        RegistryDelta first;
        for (Slot slot = 0; slot < 50; ++slot)
            first.changed.push_back(make_region(random, slot, slot + 1));
        for (auto& row : first.changed) row.info.reference_count = row.slot;
        auto rows = first.changed;
        store.apply(std::move(first), 1);
        model.sort(kColumnReferences, Qt::AscendingOrder);
        const auto before = shown(model);
        model.set_order_held(true);
        RegistryDelta second;
        rows[0].info.reference_count = 1000;
        second.changed.push_back(rows[0]);
        store.apply(std::move(second), 2);
        QVERIFY(shown(model) == before);
        QCOMPARE(model.entry(0)->row.info.reference_count, std::uint64_t{1000});
        model.set_order_held(false);
        QCOMPARE(model.entry(49)->key().slot, Slot{0});
    }

    // Whatever happens meanwhile; afterwards it is as if they had never been held.
    void held_rows_stay_whatever_comes_and_goes_data() {
        shows_what_a_naive_filter_and_sort_would_show_data();
    }

    void held_rows_stay_whatever_comes_and_goes() {
        QFETCH(unsigned, seed);
        RegionStore store;
        RegionTableModel model(store);
        QAbstractItemModelTester tester(&model,
                                        QAbstractItemModelTester::FailureReportingMode::QtTest);
        Chaos chaos(seed);
        const auto filter = filter_of("refs>3");
        if (seed % 2 == 0) model.set_filter(filter_of("refs>3"));
        model.sort(kColumnReferences, Qt::DescendingOrder);
        const auto ids = [&model] {
            QStringList out;
            for (int row = 0; row < model.rowCount(); ++row)
                out << model.index(row, kColumnId).data(kIdRole).toString();
            return out;
        };
        for (int round = 0; round < 6; ++round) {
            store.apply(chaos.next(200), 1 + round);
            model.set_order_held(true);
            const auto before = ids();
            for (int step = 0; step < 6; ++step) {
                store.apply(chaos.next(40), 100 + step);
                const auto held = ids();
                QVERIFY(held.size() >= before.size());
                QCOMPARE(held.mid(0, before.size()), before);
                std::size_t gone = 0;
                for (int row = 0; row < model.rowCount(); ++row) {
                    const bool is_gone = model.index(row, 0).data(kGoneRole).toBool();
                    gone += is_gone ? 1 : 0;
                    QCOMPARE(is_gone, model.entry(row) == nullptr);
                    QVERIFY(!model.index(row, kColumnSize).data().toString().isEmpty());
                }
                QCOMPARE(model.shown() + gone, static_cast<std::size_t>(model.rowCount()));
            }
            if (round % 3 == 2) model.sort(kColumnReferences, Qt::DescendingOrder);
            model.set_order_held(false);
            QVERIFY(shown(model) == expected(chaos.rows, seed % 2 == 0 ? filter : RegionFilter(),
                                             kColumnReferences, Qt::DescendingOrder));
        }
    }

    void a_new_filter_moves_rows_that_are_held() {
        RegionStore store;
        RegionTableModel model(store);
        Chaos chaos(2);
        store.apply(chaos.next(200), 1);
        model.set_order_held(true);
        store.apply(chaos.next(200), 2);
        model.set_filter(filter_of("refs>3"));
        for (int row = 0; row < model.rowCount(); ++row) {
            QVERIFY(model.entry(row));
            QVERIFY(model.entry(row)->row.info.reference_count > 3);
        }
    }

    void one_tick_costs_one_data_changed() {
        SyntheticWorld world(2000);
        RegionStore store;
        RegionTableModel model(store);
        store.apply(world.everything(), 1);
        QSignalSpy changes(&model, &QAbstractItemModel::dataChanged);
        QSignalSpy inserts(&model, &QAbstractItemModel::rowsInserted);
        QSignalSpy removes(&model, &QAbstractItemModel::rowsRemoved);
        store.apply(world.step(0.3), 2);
        QCOMPARE(changes.count(), 1);
        QVERIFY(inserts.count() <= 33);
        QVERIFY(removes.count() <= 33);
    }

    void a_filter_that_depends_on_time_is_applied_as_time_passes() {
        RegionStore store;
        RegionTableModel model(store);
        std::mt19937_64 random(5);
        RegistryDelta delta;
        delta.changed.push_back(make_region(random, 0, 1));
        delta.changed.front().info.created_at = {now().micros - 60};
        store.apply(std::move(delta), 1);
        model.set_filter(filter_of("age>200ms"));
        QCOMPARE(model.rowCount(), 0);
        QTRY_VERIFY_WITH_TIMEOUT((model.clock_tick(), model.rowCount() == 1), kPatienceMs);
    }

    void exports_are_raw_and_well_formed() {
        RegionStore store;
        RegionTableModel model(store);
        std::mt19937_64 random(9);
        RegistryDelta delta;
        delta.changed.push_back(make_region(random, 0, 1));
        delta.changed.front().info.size = 1536;
        delta.changed.front().info.metadata = R"({"a":"x, y"})";
        store.apply(std::move(delta), 1);
        QCOMPARE(model.index(0, kColumnSize).data().toString(), QStringLiteral("1.5 KiB"));
        QCOMPARE(to_csv(model, {0}, {kColumnSize, kColumnMetadata}),
                 QStringLiteral("size,metadata\r\n1536,\"{\"\"a\"\":\"\"x, y\"\"}\"\r\n"));
        const auto json = to_json(model, {0}, {kColumnSize});
        QVERIFY2(json.contains(QStringLiteral("\"size\": 1536")), qPrintable(json));
    }

    void holders_are_named_with_their_worker() {
        ClientInfo encoder;
        encoder.pid = 4711;
        encoder.worker = "encoder";
        set_worker_names({encoder});
        RegionReference first, second;
        first.pid = 4711, first.process = "python3", first.count = 2;
        second.pid = 12, second.process = "top", second.count = 1;
        QCOMPARE(holders_text({first, second}, 3),
                 QStringLiteral("python3 4711 (encoder) ×2, top 12 and 1 more"));
        set_worker_names({});
        QCOMPARE(holders_text({first}, 1), QStringLiteral("python3 4711 ×2"));
    }

    // Figures, not judgements: what a tick and a keystroke cost at 100,000 regions.
    void figures_at_100k_rows() {
        SyntheticWorld world(100'000);
        RegionStore store;
        RegionTableModel model(store);
        model.sort(kColumnReferences, Qt::DescendingOrder);
        const auto timed = [](const char* what, const auto& work) {
            QElapsedTimer timer;
            timer.start();
            work();
            qInfo("%-52s %7.1f ms", what, static_cast<double>(timer.nsecsElapsed()) / 1e6);
        };
        auto all = world.everything();
        timed("first fill", [&] { store.apply(std::move(all), 1); });
        for (const double share : {0.001, 0.05}) {
            auto delta = world.step(share);
            timed(share < 0.01 ? "tick, 100 rows changed" : "tick, 5,000 rows changed",
                  [&] { store.apply(std::move(delta), 2); });
        }
        timed("keystroke, word", [&] { model.set_filter(filter_of("python")); });
        timed("keystroke, word and fields",
              [&] { model.set_filter(filter_of("python size>1MiB state:live")); });
        timed("filter cleared", [&] { model.set_filter({}); });
        timed("sort by size", [&] { model.sort(kColumnSize, Qt::DescendingOrder); });
        QCOMPARE(model.shown(), std::size_t{100'000});
    }
};

}  // namespace snakepit::shm::ui

QTEST_GUILESS_MAIN(snakepit::shm::ui::TestRegionTableModel)
#include "tst_region_table_model.moc"
