// SPDX-License-Identifier: MIT
#include <QtTest>

#include "registry/encryption_table.h"

using namespace snakepit::shm;
using layout::EncryptionBody;
using layout::EncryptionOffsets;
using layout::EncryptionRecord;

namespace {

constexpr std::uint64_t kEpoch = 77;
constexpr std::uint32_t kSlot = 12'345;
const RegionId kRegion{1'700'000'000'000'000, 42};

}  // namespace

class EncryptionTableTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() {
        directory_ = std::make_unique<QTemporaryDir>();
        reopen();
        QVERIFY(table_ && table_->begin(kSlot, kRegion));
    }

    void a_region_begins_without_contents();
    void what_was_committed_last_counts_also_after_a_restart();
    void a_body_that_no_word_names_yet_does_not_count();
    void a_slot_of_another_region_has_no_record();
    void a_damaged_record_is_none();
    void another_registrys_file_begins_anew();

  private:
    std::string path() const { return directory_->filePath("seals").toStdString(); }
    void reopen(std::uint64_t epoch = kEpoch) {
        table_.reset();
        auto opened = EncryptionTable::open(path(), epoch);
        if (opened) table_ = std::make_unique<EncryptionTable>(std::move(*opened));
    }
    EncryptionBody body(std::uint64_t version) const {
        EncryptionBody out{};
        out.id_micros = kRegion.micros;
        out.id_random = kRegion.random;
        out.version = version;
        out.key_version = 1;
        return out;
    }
    std::uint64_t version() const {
        const auto found = table_->find(kSlot, kRegion);
        return found ? found->version : ~std::uint64_t{0};
    }
    // Changes the file behind the table's back.
    void poke(std::uint64_t at, char byte) const {
        QFile file(QString::fromStdString(path()));
        QVERIFY(file.open(QIODevice::ReadWrite) && file.seek(static_cast<qint64>(at)));
        QCOMPARE(file.write(&byte, 1), 1);
    }

    std::unique_ptr<QTemporaryDir> directory_;
    std::unique_ptr<EncryptionTable> table_;
};

void EncryptionTableTest::a_region_begins_without_contents() {
    const auto found = table_->find(kSlot, kRegion);
    QVERIFY(found);
    QCOMPARE(found->version, 0U);
    QCOMPARE(found->key_version, 1U);
    const QFileInfo file(QString::fromStdString(path()));
    QCOMPARE(file.permissions() & (QFile::ReadGroup | QFile::ReadOther), QFile::Permissions());
}

void EncryptionTableTest::what_was_committed_last_counts_also_after_a_restart() {
    for (std::uint64_t v = 1; v < 10; ++v) {
        table_->commit(kSlot, body(v));
        QCOMPARE(version(), v);
        reopen();
        QCOMPARE(version(), v);
    }
}

// What a manager leaves that is killed between the body and the word.
void EncryptionTableTest::a_body_that_no_word_names_yet_does_not_count() {
    table_->commit(kSlot, body(1));
    table_->commit(kSlot, body(2));
    QFile file(QString::fromStdString(path()));
    QVERIFY(file.open(QIODevice::ReadWrite));
    const auto record = static_cast<qint64>(EncryptionOffsets::record(kSlot));
    std::uint64_t control = 0;
    QVERIFY(file.seek(record) && file.read(reinterpret_cast<char*>(&control), 8) == 8);
    const auto other = record + static_cast<qint64>(offsetof(EncryptionRecord, body)) +
                       static_cast<qint64>(((control + 1) & 1) * sizeof(EncryptionBody));
    for (qint64 at = 0; at < static_cast<qint64>(sizeof(EncryptionBody)); ++at)
        poke(static_cast<std::uint64_t>(other + at), 'x');
    QCOMPARE(version(), 2U);
    reopen();
    QCOMPARE(version(), 2U);
    table_->commit(kSlot, body(3));
    QCOMPARE(version(), 3U);
}

void EncryptionTableTest::a_slot_of_another_region_has_no_record() {
    QVERIFY(!table_->find(kSlot, {kRegion.micros, kRegion.random + 1}));
    QVERIFY(!table_->find(kSlot + 1, kRegion));
    QVERIFY(!table_->find(layout::kMaxSlots - 1, kRegion));
}

void EncryptionTableTest::a_damaged_record_is_none() {
    table_->commit(kSlot, body(1));
    const auto first = EncryptionOffsets::record(kSlot) + offsetof(EncryptionRecord, body);
    poke(first + offsetof(EncryptionBody, root), 'x');
    poke(first + sizeof(EncryptionBody) + offsetof(EncryptionBody, root), 'x');
    QVERIFY(!table_->find(kSlot, kRegion));
}

void EncryptionTableTest::another_registrys_file_begins_anew() {
    table_->commit(kSlot, body(5));
    reopen(kEpoch + 1);
    QVERIFY(table_ && !table_->find(kSlot, kRegion));
}

QTEST_GUILESS_MAIN(EncryptionTableTest)
#include "tst_encryption_table.moc"
