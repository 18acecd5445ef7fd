// SPDX-License-Identifier: MIT
#include <QtTest>
#include <cstring>
#include <functional>

#include "crypto/encrypted_chunks.h"

using namespace snakepit::shm;
using layout::ChunkEntry;
using layout::EncryptedLayout;

namespace {

std::vector<std::byte> hex(const char* text) {
    std::vector<std::byte> out(std::strlen(text) / 2);
    if (!from_hex(text, out)) qFatal("%s is not hexadecimal", text);
    return out;
}

template <typename Array>
Array array_of(const char* text) {
    Array out;
    const auto bytes = hex(text);
    std::memcpy(out.data(), bytes.data(), out.size());
    return out;
}

const RegionId kRegion{1'700'000'000'000'000, 0x0123456789ABCDEF};

}  // namespace

class ChunkCipherTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void the_cipher_is_aes_256_gcm_data();
    void the_cipher_is_aes_256_gcm();
    void a_key_of_another_size_is_refused();
    void a_chunk_comes_back_as_it_was();
    void whatever_is_changed_a_chunk_is_refused_data();
    void whatever_is_changed_a_chunk_is_refused();
    void a_root_changes_with_everything_it_stands_for();
    void a_signature_belongs_to_one_root_and_one_writer();
    void each_region_and_key_version_has_a_key_of_its_own();
    void the_parts_of_a_segment_do_not_overlap_data();
    void the_parts_of_a_segment_do_not_overlap();

  private:
    std::vector<std::byte> key_ =
        hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    std::vector<std::byte> plain_, cell_;
    ChunkEntry entry_;
};

void ChunkCipherTest::init() {
    plain_.assign(70, std::byte{'p'});
    cell_.assign(plain_.size(), std::byte{0});
    entry_ = {};
    entry_.version = 7;
    entry_.key_version = 2;
    entry_.cell = 1;
    entry_.nonce[11] = 9;
    auto cipher = ChunkCipher::make(key_);
    QVERIFY(cipher && encrypt_chunk(*cipher, kRegion, 3, plain_, cell_.data(), entry_));
    QVERIFY(cell_ != plain_);
}

// Test cases 13 to 16 of McGrew and Viega, "The Galois/Counter Mode of Operation", with 256-bit
// keys.
void ChunkCipherTest::the_cipher_is_aes_256_gcm_data() {
    QTest::addColumn<QByteArray>("key");
    QTest::addColumn<QByteArray>("nonce");
    QTest::addColumn<QByteArray>("associated");
    QTest::addColumn<QByteArray>("plain");
    QTest::addColumn<QByteArray>("ciphertext");
    QTest::addColumn<QByteArray>("tag");
    const QByteArray zero_key(64, '0'), zero_nonce(24, '0');
    const QByteArray key("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
    const QByteArray plain(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255");
    const QByteArray ciphertext(
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad");
    QTest::newRow("13: nothing") << zero_key << zero_nonce << QByteArray() << QByteArray()
                                 << QByteArray() << QByteArray("530f8afbc74536b9a963b4f1c4cb738b");
    QTest::newRow("14: a block of zeros")
        << zero_key << zero_nonce << QByteArray() << QByteArray(32, '0')
        << QByteArray("cea7403d4d606b6e074ec5d3baf39d18")
        << QByteArray("d0d1c8a799996bf0265b98b5d48ab919");
    QTest::newRow("15: four blocks")
        << key << QByteArray("cafebabefacedbaddecaf888") << QByteArray() << plain << ciphertext
        << QByteArray("b094dac5d93471bdec1a502270e3cc6c");
    QTest::newRow("16: with associated data, and not whole blocks")
        << key << QByteArray("cafebabefacedbaddecaf888")
        << QByteArray("feedfacedeadbeeffeedfacedeadbeefabaddad2") << plain.left(120)
        << ciphertext.left(120) << QByteArray("76fc6ece0f4e1768cddf8853bb2d551b");
}

void ChunkCipherTest::the_cipher_is_aes_256_gcm() {
    QFETCH(QByteArray, key);
    QFETCH(QByteArray, nonce);
    QFETCH(QByteArray, associated);
    QFETCH(QByteArray, plain);
    QFETCH(QByteArray, ciphertext);
    QFETCH(QByteArray, tag);
    auto cipher = ChunkCipher::make(hex(key.constData()));
    QVERIFY(cipher);
    const auto in = hex(plain.constData());
    std::vector<std::byte> out(in.size() + 1), back(in.size() + 1);
    const auto with = array_of<Nonce>(nonce.constData());
    Tag made{};
    // Twice: a cipher is used again.
    for (int round = 0; round < 2; ++round) {
        QVERIFY(cipher->encrypt(with, hex(associated.constData()), in, out.data(), made));
        QCOMPARE(to_hex(std::span(out).first(in.size())), ciphertext.toStdString());
        QCOMPARE(to_hex(std::as_bytes(std::span(made))), tag.toStdString());
        const auto good = cipher->decrypt(with, hex(associated.constData()),
                                          std::span(out).first(in.size()), back.data(), made);
        QVERIFY(good && *good);
        QVERIFY(std::equal(in.begin(), in.end(), back.begin()));
    }
}

void ChunkCipherTest::a_key_of_another_size_is_refused() {
    QVERIFY(!ChunkCipher::make(std::span(key_).first(16)));
    QVERIFY(!ChunkCipher::make({}));
}

void ChunkCipherTest::a_chunk_comes_back_as_it_was() {
    auto cipher = ChunkCipher::make(key_);
    std::vector<std::byte> back(plain_.size());
    const auto good = decrypt_chunk(*cipher, kRegion, 3, entry_, cell_, back.data());
    QVERIFY(good && *good);
    QVERIFY(back == plain_);
}

struct Change {
    RegionId region = kRegion;
    std::uint64_t chunk = 3;
    ChunkEntry entry;
    std::vector<std::byte> cell, key;
};
using Changing = std::function<void(Change&)>;
Q_DECLARE_METATYPE(Changing)

void ChunkCipherTest::whatever_is_changed_a_chunk_is_refused_data() {
    QTest::addColumn<Changing>("change");
    const auto row = [](const char* name, Changing change) { QTest::newRow(name) << change; };
    row("the first bit", [](Change& c) { c.cell.front() ^= std::byte{1}; });
    row("the last bit", [](Change& c) { c.cell.back() ^= std::byte{128}; });
    row("the end cut off", [](Change& c) { c.cell.pop_back(); });
    row("another region's", [](Change& c) { ++c.region.random; });
    row("another time's", [](Change& c) { ++c.region.micros; });
    row("the neighbour's place", [](Change& c) { ++c.chunk; });
    row("an older version's", [](Change& c) { --c.entry.version; });
    row("an older key's number", [](Change& c) { --c.entry.key_version; });
    row("another nonce", [](Change& c) { c.entry.nonce[0] ^= 1; });
    row("another tag", [](Change& c) { c.entry.tag[15] ^= 1; });
    row("another key", [](Change& c) { c.key[31] ^= std::byte{1}; });
}

void ChunkCipherTest::whatever_is_changed_a_chunk_is_refused() {
    QFETCH(Changing, change);
    Change changed{kRegion, 3, entry_, cell_, key_};
    change(changed);
    auto cipher = ChunkCipher::make(changed.key);
    std::vector<std::byte> back(plain_.size(), std::byte{'x'});
    const auto good = decrypt_chunk(*cipher, changed.region, changed.chunk, changed.entry,
                                    changed.cell, back.data());
    QVERIFY(good && !*good);
    // Nothing of what could not be trusted is left.
    QVERIFY(std::all_of(back.begin(), back.begin() + static_cast<long>(changed.cell.size()),
                        [](std::byte b) { return b == std::byte{0}; }));
}

void ChunkCipherTest::a_root_changes_with_everything_it_stands_for() {
    EncryptionState state;
    state.id = kRegion;
    state.size = 200'000;
    state.version = 5;
    const ChunkTable table(4, entry_);
    const auto root = root_of(state, table);
    QVERIFY(root == root_of(state, table));
    const auto differs = [&](const std::function<void(EncryptionState&, ChunkTable&)>& change) {
        auto other = state;
        auto entries = table;
        change(other, entries);
        return root_of(other, entries) != root;
    };
    QVERIFY(differs([](EncryptionState& s, ChunkTable&) { ++s.id.random; }));
    QVERIFY(differs([](EncryptionState& s, ChunkTable&) { ++s.size; }));
    QVERIFY(differs([](EncryptionState& s, ChunkTable&) { --s.version; }));
    QVERIFY(differs([](EncryptionState& s, ChunkTable&) { ++s.key_version; }));
    QVERIFY(differs([](EncryptionState&, ChunkTable& t) { t[3].tag[0] ^= 1; }));
    QVERIFY(differs([](EncryptionState&, ChunkTable& t) { t[0].cell = 2; }));
    QVERIFY(differs([](EncryptionState&, ChunkTable& t) { t.pop_back(); }));
}

void ChunkCipherTest::a_signature_belongs_to_one_root_and_one_writer() {
    auto writer = SigningKey::generate();
    auto stranger = SigningKey::generate();
    QVERIFY(writer && stranger);
    EncryptionState state;
    state.root[0] = std::byte{1};
    state.public_key = writer->public_key();
    state.signature = *sign_root(*writer, state.root);
    QVERIFY(root_signed(state));
    auto other = state;
    other.root[1] = std::byte{1};
    QVERIFY(!root_signed(other));
    other = state;
    other.public_key = stranger->public_key();
    QVERIFY(!root_signed(other));
    other.signature = *writer->sign(state.root);  // the root alone, without what it is signed for
    QVERIFY(!root_signed(other));
}

void ChunkCipherTest::each_region_and_key_version_has_a_key_of_its_own() {
    const QTemporaryDir directory;
    const auto instance =
        InstanceKey::load_or_create(directory.filePath("instance.key").toStdString());
    QVERIFY(instance);
    const auto key = [&](const RegionId& id, std::uint32_t version) {
        std::array<std::byte, kKeyBytes> out{};
        if (!derive_region_key(*instance, id, version, out)) qFatal("no key");
        return out;
    };
    QVERIFY(key(kRegion, 1) == key(kRegion, 1));
    QVERIFY(key(kRegion, 1) != key(kRegion, 2));
    QVERIFY(key(kRegion, 1) != key({kRegion.micros, kRegion.random + 1}, 1));
}

void ChunkCipherTest::the_parts_of_a_segment_do_not_overlap_data() {
    QTest::addColumn<quint64>("size");
    for (const quint64 size : {quint64{1}, quint64{4096}, quint64{65'535}, quint64{65'536},
                               quint64{65'537}, quint64{10'000'000}})
        QTest::addRow("%llu bytes", static_cast<unsigned long long>(size)) << size;
}

void ChunkCipherTest::the_parts_of_a_segment_do_not_overlap() {
    QFETCH(quint64, size);
    const EncryptedLayout layout(size);
    std::uint64_t end = 0, bytes = 0;
    const auto take = [&](std::uint64_t from, std::uint64_t length) {
        const bool behind = from >= end && from % 4096 == 0;
        end = from + length;
        return behind;
    };
    QVERIFY(take(layout.table(0), layout.table_bytes()));
    QVERIFY(take(layout.table(1), layout.table_bytes()));
    for (std::uint64_t chunk = 0; chunk < layout.chunks; ++chunk) {
        QVERIFY(layout.chunk_size(chunk) > 0 && layout.chunk_size(chunk) <= layout.cell_bytes());
        bytes += layout.chunk_size(chunk);
        for (const std::uint32_t which : {1U, 2U})
            QVERIFY(take(layout.cell(chunk, which), layout.chunk_size(chunk)));
    }
    QCOMPARE(bytes, size);
    QVERIFY(end <= layout.segment_bytes());
}

QTEST_GUILESS_MAIN(ChunkCipherTest)
#include "tst_chunk_cipher.moc"
