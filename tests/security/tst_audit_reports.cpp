// SPDX-License-Identifier: MIT
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QXmlStreamReader>
#include <QtTest>

#include <fstream>
#include <sstream>

#include "audit/report.h"
#include "audit_fixture.h"

using namespace snakepit::shm;
using namespace snakepit::shm::testing;

namespace {

std::string report_of(const AuditFixture& f, ReportFormat format, const EventQuery& filter = {}) {
    std::ostringstream out;
    const auto written = write_report({f.path(), "test <&\"instance", filter, format}, *f.key, out);
    return written ? out.str() : "failed: " + written.error().sentence();
}

void put(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

bool intact(const std::string& path, const PublicKey& key) {
    const auto check = check_report(path);
    return check && check->intact && check->signer == key;
}

void fill(AuditFixture& f) {
    const RegionId id{1'700'000'000'000'000ULL, 7};
    f.ring.append(about(make_entry(EventKind::allocated, "<b>&\"x\"", 0, 1 << 20), id));
    auto refused = make_entry(EventKind::refused, "=1+1");
    refused.uid = 1000;
    refused.result = static_cast<std::uint16_t>(ErrorCode::permission_denied);
    f.ring.append(refused);
    f.ring.append(about(make_entry(EventKind::freed, "deallocated", 0, 1 << 20), id));
    f.record(4);
}

}  // namespace

class TestAuditReports : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_report_is_verified_with_the_public_key_alone_data();
    void a_report_is_verified_with_the_public_key_alone();
    void every_changed_byte_of_a_report_is_found_data() {
        a_report_is_verified_with_the_public_key_alone_data();
    }
    void every_changed_byte_of_a_report_is_found();
    void a_report_cut_short_or_made_longer_is_found();
    void a_json_report_holds_rows_summary_graphs_and_verdict();
    void a_csv_report_quotes_what_others_wrote();
    void an_html_report_is_well_formed_and_needs_no_other_file();
    void filters_choose_the_rows();
    void a_report_of_a_changed_history_says_so();
    void rows_of_many_pages_are_all_there();
};

void TestAuditReports::a_report_is_verified_with_the_public_key_alone_data() {
    QTest::addColumn<int>("format");
    QTest::newRow("csv") << static_cast<int>(ReportFormat::csv);
    QTest::newRow("json") << static_cast<int>(ReportFormat::json);
    QTest::newRow("html") << static_cast<int>(ReportFormat::html);
}

void TestAuditReports::a_report_is_verified_with_the_public_key_alone() {
    QFETCH(int, format);
    AuditFixture f;
    fill(f);
    const auto file = f.directory() + "/report";
    put(file, report_of(f, static_cast<ReportFormat>(format)));
    QVERIFY(intact(file, f.key->public_key()));
    QVERIFY(!intact(file, AuditFixture::make_key()->public_key()));
}

void TestAuditReports::every_changed_byte_of_a_report_is_found() {
    QFETCH(int, format);
    AuditFixture f;
    fill(f);
    const auto file = f.directory() + "/report";
    auto text = report_of(f, static_cast<ReportFormat>(format));
    put(file, text);
    std::fstream changed(file, std::ios::in | std::ios::out | std::ios::binary);
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto place = [&](char c) {
            changed.seekp(static_cast<std::streamoff>(i));
            changed.put(c);
            changed.flush();
        };
        place(static_cast<char>(text[i] ^ (i % 2 == 0 ? 0x20 : 0x01)));
        QVERIFY2(!intact(file, f.key->public_key()), std::to_string(i).c_str());
        place(text[i]);
    }
    QVERIFY(intact(file, f.key->public_key()));
}

void TestAuditReports::a_report_cut_short_or_made_longer_is_found() {
    AuditFixture f;
    fill(f);
    const auto file = f.directory() + "/report";
    const auto text = report_of(f, ReportFormat::csv);
    for (const auto& other : {text.substr(1), text.substr(0, text.size() - 1), text + "\n",
                              "x" + text, text + text, std::string(), std::string("x")}) {
        put(file, other);
        QVERIFY(!intact(file, f.key->public_key()));
    }
}

void TestAuditReports::a_json_report_holds_rows_summary_graphs_and_verdict() {
    AuditFixture f;
    fill(f);
    const auto text = report_of(f, ReportFormat::json);
    QJsonParseError error{};
    const auto root = QJsonDocument::fromJson(QByteArray::fromStdString(text), &error).object();
    QVERIFY2(error.error == QJsonParseError::NoError, text.c_str());
    QCOMPARE(root["instance"].toString(), QString("test <&\"instance"));
    QCOMPARE(root["events"].toArray().size(), 7);
    QCOMPARE(root["events"][1].toObject()["uid"].toInt(), 1000);
    const auto summary = root["summary"].toObject();
    QCOMPARE(summary["rows"].toInt(), 7);
    QCOMPARE(summary["kinds"]["allocated"].toInt(), 5);
    QCOMPARE(summary["results"]["permission_denied"].toInt(), 1);
    QCOMPARE(summary["users"]["1000"].toInt(), 1);
    QVERIFY(root["verification"]["clean"].toBool());
    QCOMPARE(root["verification"]["proven_last"].toInt(), 7);
    const auto graphs = root["graphs"].toObject();
    QCOMPARE(graphs["regions"].toArray().size(), int{kGraphPoints});
    // One was freed and made again, with three more.
    QCOMPARE(graphs["regions"].toArray().last().toInt(), 4);
    QCOMPARE(graphs["bytes"].toArray().last().toInt(), 4 * 4096);
    qint64 allocated = 0;
    for (const auto part : graphs["events"]["allocated"].toArray()) allocated += part.toInteger();
    QCOMPARE(allocated, 5);
}

void TestAuditReports::a_csv_report_quotes_what_others_wrote() {
    AuditFixture f;
    fill(f);
    const auto text = report_of(f, ReportFormat::csv);
    QVERIFY(text.find("\"{\"\"size\"\":1048576,\"\"process\"\":\"\"<b>&\\\"\"x\\\"\"\"\"}\"") !=
            std::string::npos);
    QVERIFY(text.find("\nseq,epoch,ring_seq,time,kind,region_id,pid,uid,result,detail\n") !=
            std::string::npos);
}

void TestAuditReports::an_html_report_is_well_formed_and_needs_no_other_file() {
    AuditFixture f;
    fill(f);
    const auto text = report_of(f, ReportFormat::html);
    for (const auto* word : {"<script", "src=", "href=", "url(", "@import", "<b>&"})
        QVERIFY2(text.find(word) == std::string::npos, word);
    // Apart from what HTML lets stand open, it is XML.
    auto xml = QString::fromStdString(text);
    xml.remove("<!DOCTYPE html>")
        .remove("<meta charset=\"utf-8\">")
        .remove("<meta name=\"viewport\" content=\"width=device-width\">");
    QXmlStreamReader reader(xml);
    int rows = 0, drawings = 0;
    while (!reader.atEnd()) {
        reader.readNext();
        rows += reader.isStartElement() && reader.name() == u"tr" ? 1 : 0;
        drawings += reader.isStartElement() && reader.name() == u"svg" ? 1 : 0;
    }
    QVERIFY2(!reader.hasError(), qPrintable(reader.errorString()));
    QCOMPARE(drawings, 3);
    QVERIFY(rows > 7);
}

void TestAuditReports::filters_choose_the_rows() {
    AuditFixture f;
    fill(f);
    const auto rows = [&](const EventQuery& query) {
        const auto text = report_of(f, ReportFormat::json, query);
        return QJsonDocument::fromJson(QByteArray::fromStdString(text))["events"].toArray().size();
    };
    EventQuery query;
    query.uid = 1000;
    QCOMPARE(rows(query), 1);
    query = {};
    query.kind = EventKind::allocated;
    QCOMPARE(rows(query), 5);
    query = {};
    query.region_id = RegionId{1'700'000'000'000'000ULL, 7}.str();
    QCOMPARE(rows(query), 3);
    query = {};
    query.until = Timestamp{1};
    QCOMPARE(rows(query), 0);
}

void TestAuditReports::a_report_of_a_changed_history_says_so() {
    AuditFixture f;
    fill(f);
    QVERIFY(edit(f.path(), "UPDATE events SET uid = 0 WHERE seq = 2"));
    const auto json = report_of(f, ReportFormat::json);
    const auto root = QJsonDocument::fromJson(QByteArray::fromStdString(json));
    QCOMPARE(root["verification"]["clean"].toBool(true), false);
    QVERIFY(root["verification"]["summary"].toString().startsWith("row 2 was changed"));
    QVERIFY(report_of(f, ReportFormat::html).find("The history was changed") != std::string::npos);
    QVERIFY(report_of(f, ReportFormat::csv).find("row 2 was changed") != std::string::npos);
}

void TestAuditReports::rows_of_many_pages_are_all_there() {
    AuditFixture f;
    f.record(2500);
    const auto text = report_of(f, ReportFormat::json);
    const auto root = QJsonDocument::fromJson(QByteArray::fromStdString(text));
    QCOMPARE(root["events"].toArray().size(), 2500);
}

QTEST_APPLESS_MAIN(TestAuditReports)
#include "tst_audit_reports.moc"
