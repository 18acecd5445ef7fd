// SPDX-License-Identifier: MIT
// A region's bytes for people: as they are, for whom they are, and no others.
#include <QFile>
#include <QJsonArray>
#include <QProcess>
#include <QtTest>

#include "service_fixture.h"

using namespace snakepit::shm::test;

class Dump : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void bytes_are_shown_in_hexadecimal_and_as_text();
    void equal_lines_are_written_once();
    void a_part_is_shown_with_its_place();
    void raw_bytes_are_those_of_the_region();
    void one_document_has_the_facts_and_the_bytes();
    void a_file_takes_it_in_place_of_standard_output();
    void what_is_not_in_the_region_is_an_error_data();
    void what_is_not_in_the_region_is_an_error();
    void an_encrypted_region_is_decrypted();
    void an_audited_region_records_it();

  private:
    QString allocate(const QStringList& words, const QByteArray& bytes);
    std::unique_ptr<Service> service_;
    QString id_;
};

void Dump::initTestCase() {
    service_ = std::make_unique<Service>();
    service_->host().configure("encryption_enabled = true");
    QVERIFY(service_->start());
    id_ = allocate({"allocate", "100"}, "Snakepit\x01\x02\xff" + QByteArray(5, '\0') + "end");
    QVERIFY(!id_.isEmpty());
}

QString Dump::allocate(const QStringList& words, const QByteArray& bytes) {
    const auto id = service_->cli_json(words).value("id").toString();
    QProcess writer;
    writer.setProcessEnvironment(service_->host().environment(service_->instance()));
    writer.start(QCoreApplication::applicationDirPath() + "/snakepit-shm", {"write", id});
    writer.waitForStarted(kPatienceMs);
    writer.write(bytes);
    writer.closeWriteChannel();
    return writer.waitForFinished(kPatienceMs) && writer.exitCode() == 0 ? id : QString();
}

void Dump::bytes_are_shown_in_hexadecimal_and_as_text() {
    const auto shown = service_->cli({"dump", id_});
    QVERIFY2(shown.status == 0, qPrintable(shown.err));
    QVERIFY(shown.out.contains(id_) && shown.out.contains("100 bytes"));
    QVERIFY2(shown.out.contains("00000000  53 6e 61 6b 65 70 69 74  01 02 ff 00 00 00 00 00  "
                                "|Snakepit........|\n"),
             qPrintable(shown.out));
    QVERIFY(shown.out.contains("00000010  65 6e 64 00 "));
    QVERIFY(shown.out.endsWith("00000064\n"));
}

void Dump::equal_lines_are_written_once() {
    const auto lines = service_->cli({"dump", id_}).out.split('\n');
    QCOMPARE(lines.count("*"), 1);
    QCOMPARE(lines.filter("00000020 ").size(), 1);
    QCOMPARE(lines.filter("00000030 ").size(), 0);
    QCOMPARE(lines.filter("00000060 ").size(), 1);  // shorter, and so not equal
}

void Dump::a_part_is_shown_with_its_place() {
    const auto shown =
        service_->cli({"dump", id_, "--offset", "4", "--length", "6", "--width", "4"}).out;
    QVERIFY2(
        shown.contains("00000004  65 70 69 74  |epit|\n00000008  01 02        |..|\n0000000a\n"),
        qPrintable(shown));
}

void Dump::raw_bytes_are_those_of_the_region() {
    QCOMPARE(service_->cli({"dump", id_, "--raw", "--length", "8"}).out, "Snakepit");
    QCOMPARE(service_->cli({"dump", id_, "--raw"}).out, service_->cli({"read", id_}).out);
}

void Dump::one_document_has_the_facts_and_the_bytes() {
    const auto document = service_->cli_json({"dump", id_, "--offset", "4", "--length", "4"});
    QCOMPARE(QByteArray::fromBase64(document["base64"].toString().toLatin1()), "epit");
    QCOMPARE(document["offset"].toInt(), 4);
    QCOMPARE(document["length"].toInt(), 4);
    QCOMPARE(document["region"].toObject()["id"].toString(), id_);
    QCOMPARE(document["region"].toObject()["size"].toInt(), 100);
}

void Dump::a_file_takes_it_in_place_of_standard_output() {
    const auto path = service_->host().path("dump.bin");
    QCOMPARE(service_->cli({"dump", id_, "--raw", "-o", path}).out, QString());
    QFile file(path);
    QVERIFY(file.open(QIODevice::ReadOnly));
    QVERIFY(file.readAll().startsWith("Snakepit\x01\x02\xff"));
    QCOMPARE(file.size(), 100);
    QCOMPARE(file.permissions() & 0x77, QFile::Permissions(0));
    const auto refused = service_->cli({"dump", id_, "-o", service_->host().path("no/such/file")});
    QCOMPARE(refused.status, 1);
}

void Dump::what_is_not_in_the_region_is_an_error_data() {
    QTest::addColumn<QStringList>("words");
    QTest::newRow("begins behind it") << QStringList{"--offset", "101"};
    QTest::newRow("begins at its end") << QStringList{"--offset", "100"};
    QTest::newRow("ends behind it") << QStringList{"--offset", "90", "--length", "11"};
    QTest::newRow("no length") << QStringList{"--length", "0"};
    QTest::newRow("no width") << QStringList{"--width", "0"};
    QTest::newRow("no number") << QStringList{"--offset", "-4"};
}

void Dump::what_is_not_in_the_region_is_an_error() {
    QFETCH(QStringList, words);
    const auto refused = service_->cli(QStringList{"dump", id_} + words);
    QCOMPARE(refused.status, 2);
    QCOMPARE(refused.out, QString());
    QVERIFY(!refused.err.isEmpty());
    QCOMPARE(service_->cli({"dump", "shm_1700000000000000_0123456789abcdef"}).status, 1);
}

void Dump::an_encrypted_region_is_decrypted() {
    const auto id = allocate({"allocate", "4096", "--security-level", "high"}, "in the clear");
    QVERIFY(!id.isEmpty());
    QVERIFY(service_->cli({"dump", id}).out.contains("|in the clear....|"));
}

void Dump::an_audited_region_records_it() {
    const auto id = allocate({"allocate", "4096", "--audit"}, "watched");
    QVERIFY(!id.isEmpty());
    const auto accesses = [&] {
        return service_->cli_json({"events", "--region", id, "--kind", "accessed"})
            .value("events")
            .toArray()
            .size();
    };
    QTRY_VERIFY_WITH_TIMEOUT(accesses() == 2,
                             kPatienceMs);  // of who allocated it and of the writer
    QCOMPARE(service_->cli({"dump", id}).status, 0);
    QTRY_VERIFY_WITH_TIMEOUT(accesses() == 3, kPatienceMs);
}

QTEST_GUILESS_MAIN(Dump)
#include "tst_dump.moc"
