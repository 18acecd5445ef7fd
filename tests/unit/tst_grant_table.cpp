// SPDX-License-Identifier: MIT
#include <QtTest>

#include "registry/grant_table.h"

using namespace snakepit::shm;
using layout::GrantBlock;
using layout::GrantsOffsets;
using layout::kChunkSlots;

namespace {

constexpr std::uint64_t kEpoch = 77;
constexpr std::uint32_t kFar = layout::kMaxSlots - 1;

}  // namespace

class GrantTableTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() {
        directory_ = std::make_unique<QTemporaryDir>();
        reopen();
        add(0, 100);
    }

    void nothing_is_granted_before_a_chunk_is_reserved();
    void grants_stand_after_a_restart();
    void chunks_of_several_clients_are_apart();
    void a_dropped_client_leaves_zeroed_blocks_for_the_next();
    void a_block_of_an_earlier_client_does_not_count();
    void a_block_that_was_not_committed_does_not_count();
    void the_file_is_as_long_as_what_is_in_use();

  private:
    std::string path() const { return directory_->filePath("grants").toStdString(); }
    void reopen() {
        table_.reset();
        auto opened = GrantTable::open(path(), kEpoch);
        QVERIFY(opened);
        table_ = std::make_unique<GrantTable>(std::move(*opened));
    }
    void add(std::uint32_t client, std::uint64_t serial) {
        table_->record(client).serial.store(serial);
    }
    void grant(std::uint32_t client, std::uint32_t slot, std::uint32_t value) {
        if (!table_->chunk_reserved(client, slot)) QVERIFY(table_->reserve_chunk(client, slot));
        table_->set_grant(client, slot, value);
    }
    qint64 size() const { return QFileInfo(QString::fromStdString(path())).size(); }
    // Changes the file behind the table's back.
    void poke(std::uint64_t at, std::uint64_t value) const {
        QFile file(QString::fromStdString(path()));
        QVERIFY(file.open(QIODevice::ReadWrite) && file.seek(static_cast<qint64>(at)));
        QCOMPARE(file.write(reinterpret_cast<const char*>(&value), sizeof value), sizeof value);
    }

    std::unique_ptr<QTemporaryDir> directory_;
    std::unique_ptr<GrantTable> table_;
};

void GrantTableTest::nothing_is_granted_before_a_chunk_is_reserved() {
    QVERIFY(!table_->chunk_reserved(0, 5));
    QCOMPARE(table_->grant(0, 5), 0U);
    QVERIFY(table_->granted_slots(0).empty());
    QVERIFY(table_->reserve_chunk(0, 5));
    QVERIFY(table_->chunk_reserved(0, kChunkSlots - 1));
    QVERIFY(!table_->chunk_reserved(0, kChunkSlots));
    QCOMPARE(table_->grant(0, 5), 0U);
}

void GrantTableTest::grants_stand_after_a_restart() {
    grant(0, 5, 17);
    grant(0, kFar, 18);
    reopen();
    QCOMPARE(table_->granted_slots(0), (std::vector<std::uint32_t>{5, kFar}));
    QCOMPARE(table_->grant(0, 5), 17U);
    QCOMPARE(table_->grant(0, kFar), 18U);
    QCOMPARE(table_->reserved_end(0), layout::kMaxSlots);
}

void GrantTableTest::chunks_of_several_clients_are_apart() {
    constexpr std::uint32_t kClients = 3 * layout::kBlockStep;  // the file grows three times
    for (std::uint32_t i = 0; i < kClients; ++i) {
        add(i, 100 + i);
        grant(i, 5, i + 1);
    }
    reopen();
    for (std::uint32_t i = 0; i < kClients; ++i) QCOMPARE(table_->grant(i, 5), i + 1);
}

void GrantTableTest::a_dropped_client_leaves_zeroed_blocks_for_the_next() {
    grant(0, 5, 17);
    const auto before = size();
    table_->clear(0);
    QCOMPARE(table_->grant(0, 5), 0U);
    QCOMPARE(*table_->unused_record(), 0U);
    add(0, 101);
    grant(0, 6, 18);
    QCOMPARE(table_->granted_slots(0), std::vector<std::uint32_t>{6});
    QCOMPARE(size(), before);
}

// Killed after a record got another client and before its block was cleared.
void GrantTableTest::a_block_of_an_earlier_client_does_not_count() {
    grant(0, 5, 17);
    table_->record(0).serial.store(101);
    reopen();
    QVERIFY(table_->granted_slots(0).empty());
    QVERIFY(!table_->chunk_reserved(0, 5));
}

void GrantTableTest::a_block_that_was_not_committed_does_not_count() {
    grant(0, 5, 17);
    poke(GrantsOffsets::block(0) + offsetof(GrantBlock, serial), 0);
    reopen();
    QVERIFY(!table_->chunk_reserved(0, 5));
    grant(0, 6, 18);
    QCOMPARE(table_->granted_slots(0), std::vector<std::uint32_t>{6});
}

void GrantTableTest::the_file_is_as_long_as_what_is_in_use() {
    QCOMPARE(size(), static_cast<qint64>(GrantsOffsets::blocks));
    grant(0, kFar, 17);
    QCOMPARE(size(), static_cast<qint64>(GrantsOffsets::block(layout::kBlockStep)));
}

QTEST_GUILESS_MAIN(GrantTableTest)
#include "tst_grant_table.moc"
