// SPDX-License-Identifier: MIT
// What is taken out before a document leaves the machine.
#include <QJsonArray>
#include <QJsonDocument>
#include <QtTest>

#include "diagnostics/redaction.h"

using namespace snakepit::shm;

class Redaction : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void of_a_url_scheme_and_host_stay_data();
    void of_a_url_scheme_and_host_stay();
    void of_a_command_line_no_value_stays_data();
    void of_a_command_line_no_value_stays();
    void secrets_go_from_documents_and_the_rest_stays();
    void the_number_of_a_system_v_segment_is_no_secret();
    void metadata_goes_only_when_asked();
    void a_configuration_stays_readable_without_its_secrets();
    void keys_and_passwords_go_from_a_configuration_whatever_their_form();
    void what_is_no_toml_is_not_handed_on();
};

void Redaction::of_a_url_scheme_and_host_stay_data() {
    QTest::addColumn<QString>("url");
    QTest::addColumn<QString>("left");
    const auto row = [](const char* url, const char* left) {
        QTest::newRow(url) << QString(url) << QString(left);
    };
    row("no url at all", "no url at all");
    row("https://example.org", "https://example.org");
    row("https://example.org/", "https://example.org");
    row("https://hooks.example.org:8443/services/T0/B0/s3cret",
        "https://hooks.example.org:8443/[redacted]");
    row("https://user:pass@example.org", "https://example.org/[redacted]");
    row("https://example.org?token=s3cret", "https://example.org/[redacted]");
    row("see http://a@b@example.org/x", "see http://example.org/[redacted]");
}

void Redaction::of_a_url_scheme_and_host_stay() {
    QFETCH(QString, url);
    QFETCH(QString, left);
    QCOMPARE(QString::fromStdString(redacted_url(url.toStdString())), left);
}

void Redaction::of_a_command_line_no_value_stays_data() {
    QTest::addColumn<QStringList>("words");
    QTest::addColumn<QString>("left");
    const auto row = [](const QStringList& words, const char* left) {
        QTest::newRow(left) << words << QString(left);
    };
    row({"sleep"}, "sleep");
    row({"sleep", "60"}, "sleep [redacted]");
    row({"python3", "-u", "train.py", "data.py"}, "python3 -u train.py [redacted]");
    row({"/opt/a b", "--token=s3cret", "--token", "s3cret", "-v"},
        "/opt/a b --token=[redacted] --token [redacted] -v");
    row({"mysql", "-ps3cret", "https://user:s3cret@host/x.py"}, "mysql -p[redacted] [redacted]");
    row({"env", "KEY=s3cret", "--", "a=b.sh"}, "env [redacted] -- [redacted]");
    row({}, "");
}

void Redaction::of_a_command_line_no_value_stays() {
    QFETCH(QStringList, words);
    QFETCH(QString, left);
    std::vector<std::string> all;
    for (const auto& word : words) all.push_back(word.toStdString());
    QCOMPARE(QString::fromStdString(redacted_command(all)), left);
}

void Redaction::secrets_go_from_documents_and_the_rest_stays() {
    const auto document = QJsonDocument::fromJson(R"({
        "pid": 7, "name": "worker", "enabled": true, "nothing": null,
        "token": 12345, "Auth_Token": "s3cret", "password": "s3cret", "headers": {"X": "s3cret"},
        "list": [{"api_key": "s3cret", "size": 3}],
        "hook": {"command": ["/usr/bin/notify", "--key", "s3cret"], "url": "https://h/s3cret"},
        "exec": "mail s3cret"})")
                              .object();
    const auto out = redacted(document, false);
    const auto text = QJsonDocument(out).toJson();
    QVERIFY2(!text.contains("s3cret") && !text.contains("12345"), text.constData());
    QCOMPARE(out["pid"].toInt(), 7);
    QCOMPARE(out["name"].toString(), "worker");
    QCOMPARE(out["enabled"].toBool(), true);
    QVERIFY(out["nothing"].isNull());
    QCOMPARE(out["list"].toArray()[0].toObject()["size"].toInt(), 3);
    QCOMPARE(out["hook"].toObject()["command"].toArray()[0].toString(), "/usr/bin/notify");
    QCOMPARE(out["hook"].toObject()["url"].toString(), "https://h/[redacted]");
    QCOMPARE(out["exec"].toString(), "mail [redacted]");
}

void Redaction::the_number_of_a_system_v_segment_is_no_secret() {
    const auto document = QJsonDocument::fromJson(R"({
        "segments": [{"kind": "sysv", "key": 20565, "name": "sysv:7"},
                     {"kind": "posix", "key": null},
                     {"kind": "posix", "key": 4711},
                     {"kind": "sysv", "key": "s3cret", "token": "s3cret"}],
        "key": 4711, "signing_key": "s3cret", "Api-Key": "s3cret", "keys": ["s3cret"],
        "key_file": "/etc/key"})")
                              .object();
    const auto out = redacted(document, true);
    const auto text = QJsonDocument(out).toJson();
    QVERIFY2(!text.contains("s3cret") && !text.contains("4711"), text.constData());
    const auto segments = out["segments"].toArray();
    QCOMPARE(segments[0].toObject(), document["segments"].toArray()[0].toObject());
    QVERIFY(segments[1].toObject()["key"].isNull());
    QCOMPARE(out["key_file"].toString(), "/etc/key");
}

void Redaction::metadata_goes_only_when_asked() {
    const QJsonObject document{{"metadata", QJsonObject{{"patient", "Doe"}}}};
    QVERIFY(!QJsonDocument(redacted(document, true)).toJson().contains("Doe"));
    QVERIFY(QJsonDocument(redacted(document, false)).toJson().contains("Doe"));
}

void Redaction::a_configuration_stays_readable_without_its_secrets() {
    const auto out = redacted_toml(R"(
[shared_memory]
max_regions = 5 # s3cret in a comment
[[shared_memory.alerts.hooks]]
command = ["/bin/notify", "s3cret"]
[[shared_memory.alerts.hooks]]
webhook = "https://user:s3cret@example.org/s3cret"
token = "s3cret"
)");
    QVERIFY(out);
    const auto text = QString::fromStdString(*out);
    QVERIFY2(!text.contains("s3cret"), qPrintable(text));
    QVERIFY2(text.contains("max_regions = 5") && text.contains("/bin/notify") &&
                 text.contains("https://example.org/[redacted]"),
             qPrintable(text));
}

void Redaction::keys_and_passwords_go_from_a_configuration_whatever_their_form() {
    const auto out = redacted_toml(R"(
key = "s3cret"
password = 314159
tokens = ["s3cret", 314159]
empty_token = ""
use_token = true
[hook]
headers = { Authorization = "Bearer s3cret" }
signing_key = "s3cret"
exec = "mail s3cret"
url = "https://s3cret@example.org"
[secret_of.somebody]
number = 314159
)");
    QVERIFY(out);
    const auto text = QString::fromStdString(*out);
    QVERIFY2(!text.contains("s3cret") && !text.contains("314159"), qPrintable(text));
    QVERIFY2(text.contains("use_token = true") && text.contains("mail [redacted]") &&
                 text.contains("https://example.org"),
             qPrintable(text));
}

void Redaction::what_is_no_toml_is_not_handed_on() {
    const auto out = redacted_toml("token = s3cret");
    QVERIFY(!out);
    QCOMPARE(out.error().code, ErrorCode::configuration_invalid);
    QVERIFY(!QString::fromStdString(out.error().sentence()).contains("s3cret"));
}

QTEST_GUILESS_MAIN(Redaction)
#include "tst_redaction.moc"
