// SPDX-License-Identifier: MIT
// Digests and signatures against published vectors; the instance's key and its file.
#include <QFile>
#include <QTemporaryDir>
#include <QtTest>

#include <cstring>

#include "crypto/digest.h"
#include "crypto/keys.h"

using namespace snakepit::shm;

namespace {

std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
}

template <std::size_t n>
std::array<std::byte, n> of_hex(std::string_view text) {
    std::array<std::byte, n> out{};
    if (!from_hex(text, out)) qFatal("no hexadecimal text of that length");
    return out;
}

}  // namespace

class Keys : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void sha256_of_a_known_text();
    void a_digest_is_of_all_its_parts_and_can_be_used_again();
    void ed25519_gives_the_published_signature();
    void a_signature_is_of_one_text_and_one_key();
    void hexadecimal_must_have_the_right_length_and_digits();
    void a_key_file_is_made_once_and_gives_the_same_keys();
    void each_purpose_has_a_key_of_its_own();
    void a_key_file_that_others_may_read_is_refused();
    void a_key_file_that_is_a_link_or_cut_off_is_refused();
    void a_key_that_must_be_there_is_never_made();
    void locked_memory_is_zero_and_not_inherited();

  private:
    QTemporaryDir dir_;
    std::string path(const char* name) { return dir_.filePath(name).toStdString(); }
};

void Keys::sha256_of_a_known_text() {
    QCOMPARE(to_hex(sha256(bytes("abc"))),  // FIPS 180-2, B.1
             std::string("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}

void Keys::a_digest_is_of_all_its_parts_and_can_be_used_again() {
    Sha256 digest;
    digest.add("a");
    digest.add("bc");
    const auto first = digest.finish();
    QVERIFY(first == sha256(bytes("abc")));
    digest.add("abc");
    QVERIFY(digest.finish() == first);
}

void Keys::ed25519_gives_the_published_signature() {
    // RFC 8032, 7.1, TEST 2
    const auto seed =
        of_hex<32>("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    const auto key = SigningKey::from_seed(seed);
    QVERIFY(key.has_value());
    QCOMPARE(to_hex(key->public_key()),
             std::string("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"));
    const auto signature = key->sign(bytes("\x72"));
    QVERIFY(signature.has_value());
    QCOMPARE(to_hex(*signature),
             std::string("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                         "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"));
}

void Keys::a_signature_is_of_one_text_and_one_key() {
    const auto key = SigningKey::generate(), other = SigningKey::generate();
    QVERIFY(key && other);
    auto signature = *key->sign(bytes("text"));
    QVERIFY(verify(key->public_key(), bytes("text"), signature));
    QVERIFY(!verify(key->public_key(), bytes("texT"), signature));
    QVERIFY(!verify(other->public_key(), bytes("text"), signature));
    signature[5] ^= std::byte{1};
    QVERIFY(!verify(key->public_key(), bytes("text"), signature));
}

void Keys::hexadecimal_must_have_the_right_length_and_digits() {
    std::array<std::byte, 2> out{};
    QVERIFY(from_hex("0aFF", out));
    QVERIFY(out[0] == std::byte{0x0a} && out[1] == std::byte{0xff});
    QVERIFY(!from_hex("0aF", out));
    QVERIFY(!from_hex("0aFF00", out));
    QVERIFY(!from_hex("0aFg", out));
}

void Keys::a_key_file_is_made_once_and_gives_the_same_keys() {
    const auto file = path("instance.key");
    PublicKey first;
    {
        const auto key = InstanceKey::load_or_create(file);
        QVERIFY2(key.has_value(), key ? "" : key.error().sentence().c_str());
        first = key->audit_key()->public_key();
    }
    QCOMPARE(QFile::permissions(QString::fromStdString(file)) &
                 (QFile::ReadGroup | QFile::ReadOther | QFile::WriteGroup | QFile::WriteOther),
             QFile::Permissions());
    const auto again = InstanceKey::load_or_create(file);
    QVERIFY(again.has_value());
    QVERIFY(again->audit_key()->public_key() == first);
    QCOMPARE(QDir(dir_.path()).entryList(QDir::Files).size(), 1);
    const auto another = InstanceKey::load_or_create(path("another.key"));
    QVERIFY(another.has_value());
    QVERIFY(another->audit_key()->public_key() != first);
}

void Keys::each_purpose_has_a_key_of_its_own() {
    const auto key = InstanceKey::load_or_create(path("purposes.key"));
    std::array<std::byte, 32> one{}, same{}, other{};
    QVERIFY(key->derive("one", one) && key->derive("one", same) && key->derive("other", other));
    QVERIFY(one == same);
    QVERIFY(one != other);
}

void Keys::a_key_file_that_others_may_read_is_refused() {
    const auto file = path("open.key");
    QVERIFY(InstanceKey::load_or_create(file).has_value());
    const auto name = QString::fromStdString(file);
    QVERIFY(QFile::setPermissions(name, QFile::permissions(name) | QFile::ReadGroup));
    const auto key = InstanceKey::load_or_create(file);
    QVERIFY(!key);
    QCOMPARE(key.error().code, ErrorCode::security_violation);
}

void Keys::a_key_file_that_is_a_link_or_cut_off_is_refused() {
    const auto file = path("target.key"), link = path("link.key");
    QVERIFY(InstanceKey::load_or_create(file).has_value());
    QVERIFY(QFile::link(QString::fromStdString(file), QString::fromStdString(link)));
    QCOMPARE(InstanceKey::load_or_create(link).error().code, ErrorCode::security_violation);
    QVERIFY(QFile::resize(QString::fromStdString(file), 31));
    QCOMPARE(InstanceKey::load_or_create(file).error().code, ErrorCode::security_violation);
    QCOMPARE(QFileInfo(QString::fromStdString(file)).size(), 31);
}

void Keys::a_key_that_must_be_there_is_never_made() {
    QCOMPARE(InstanceKey::load(path("absent.key")).error().code, ErrorCode::security_violation);
    QVERIFY(!QFile::exists(dir_.filePath("absent.key")));
}

void Keys::locked_memory_is_zero_and_not_inherited() {
    auto memory = LockedMemory::make(5000);
    QVERIFY(memory.has_value());
    QVERIFY(std::all_of(memory->bytes().begin(), memory->bytes().end(),
                        [](std::byte b) { return b == std::byte{0}; }));
    QFile maps("/proc/self/smaps");
    QVERIFY(maps.open(QFile::ReadOnly));
    const auto all = maps.readAll();
    const auto from = all.indexOf(QByteArray::number(quint64(memory->data()), 16));
    QVERIFY(from >= 0);
    const auto flags = all.mid(from, all.indexOf('\n', all.indexOf("VmFlags:", from)) - from);
    QVERIFY2(flags.contains(" dd") && flags.contains(" dc"), flags.constData());
    QVERIFY(!LockedMemory::make(0));
}

QTEST_APPLESS_MAIN(Keys)
#include "tst_keys.moc"
