// SPDX-License-Identifier: MIT
#include <QJsonDocument>
#include <QJsonObject>
#include <QtTest>

#include "text_columns.h"
#include "top/columns.h"
#include "top/surface.h"

using namespace snakepit::shm::cli;

class TextColumns : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void wide_letters_take_two_columns_and_are_never_halved();
    void combining_marks_stay_with_their_letter();
    void what_a_terminal_would_obey_is_replaced();
    void json_keeps_its_meaning_without_what_a_terminal_would_obey();
    void long_lines_are_wrapped();
    void names_are_escaped_so_that_no_two_look_alike();
    void what_is_too_long_is_cut_in_the_middle();
    void columns_get_what_they_want_in_their_order();
};

void TextColumns::wide_letters_take_two_columns_and_are_never_halved() {
    QCOMPARE(columns("数据处理"), std::size_t{8});
    QCOMPARE(QString::fromStdString(truncated("数据处理", 5)), QString("数据 "));
    Surface surface(5, 1);
    surface.put(0, 0, "数据处理");
    QCOMPARE(QString::fromStdString(surface.text(0)), QString("数据"));
    QCOMPARE(surface.cell(0, 1).columns, std::uint8_t{0});
}

void TextColumns::combining_marks_stay_with_their_letter() {
    Surface surface(10, 1);
    surface.put(0, 0, "e\u0301x");
    QCOMPARE(surface.cell(0, 0).mark, char32_t{0x301});
    QCOMPARE(QString::fromStdString(surface.text(0)), QString("e\u0301x"));
    QCOMPARE(columns("e\u0301x"), std::size_t{2});
}

void TextColumns::what_a_terminal_would_obey_is_replaced() {
    const std::string evil("a\x1b[31m\u009b1m\u202e\x7f\r\xff z\n\tb");
    QCOMPARE(QString::fromStdString(sanitized(evil)), QString("a�[31m�1m���� z��b"));
    QCOMPARE(QString::fromStdString(sanitized_lines(evil)), QString("a�[31m�1m���� z\n\tb"));
}

void TextColumns::json_keeps_its_meaning_without_what_a_terminal_would_obey() {
    const QJsonObject object{
        {"name", QString::fromUtf8("\x1b[1m\u009b1m\u202e\x7f\U000e0001 数据 🎉")}};
    const auto text = QJsonDocument(object).toJson().toStdString();
    const auto safe = sanitized_json(text);
    QVERIFY(safe != text);
    QVERIFY(safe.find("数据 🎉") != std::string::npos);
    QCOMPARE(QString::fromStdString(sanitized_lines(safe)), QString::fromStdString(safe));
    QCOMPARE(QJsonDocument::fromJson(QByteArray::fromStdString(safe)).object(), object);
}

void TextColumns::names_are_escaped_so_that_no_two_look_alike() {
    QCOMPARE(escaped("a\nb"), std::string("a\\nb"));
    QCOMPARE(escaped("a\tb"), std::string("a\\tb"));
    QCOMPARE(escaped("a\\nb"), std::string("a\\\\nb"));
    QCOMPARE(escaped("a\xff\x1b"), std::string("a\\xff\\x1b"));
    QCOMPARE(escaped("\u202e"), std::string("\\xe2\\x80\\xae"));
    QCOMPARE(escaped("数据 �"), std::string("数据 �"));
    for (const std::string name :
         {"a\nb", "a\\nb", "a\\\\nb", "a\xff\x1b", "a\\xff", "数据 �", "\\"})
        QCOMPARE(unescaped(escaped(name)), name);
    // Nothing is shown like these.
    for (const std::string name : {"a\\", "a\\q", "a\\x4", "a\\x41", "a\\xFF"})
        QCOMPARE(unescaped(name), name);
}

void TextColumns::what_is_too_long_is_cut_in_the_middle() {
    QCOMPARE(shortened("short", 5), std::string("short"));
    QCOMPARE(shortened("abcdefghij", 5), std::string("ab…ij"));
    QCOMPARE(shortened("数据处理数据处理", 7), std::string("数…理"));
    for (std::size_t width = 3; width < 20; ++width)
        QVERIFY(columns(shortened("数据abc处理defgh数据ij处理", width)) <= width);
}

void TextColumns::long_lines_are_wrapped() {
    const auto lines = wrapped("one two three four five six seven eight nine ten", 20);
    for (const auto& line : lines) QVERIFY(columns(line) <= 20);
    QString joined;
    for (const auto& line : lines) joined += " " + QString::fromStdString(line).trimmed();
    QCOMPARE(joined.trimmed(), QString("one two three four five six seven eight nine ten"));
    QCOMPARE(wrapped("", 20).size(), std::size_t{1});
    QCOMPARE(wrapped("短短短短短短短短短短短短", 12).size(), std::size_t{3});
}

void TextColumns::columns_get_what_they_want_in_their_order() {
    const std::vector<Column> columns{
        {"A", 5, 20, false, {}, true, 3}, {"B", 5, 8, true}, {"C", 5, 10, false, {}, false, 2}};
    const auto widths = [&](std::size_t width) {
        const ColumnLayout layout(columns, width);
        return QList<std::size_t>{layout.width(0), layout.width(1), layout.width(2)};
    };
    QCOMPARE(widths(3), (QList<std::size_t>{5, 0, 0}));  // the first is never dropped
    QCOMPARE(widths(12), (QList<std::size_t>{5, 6, 0}));
    QCOMPARE(widths(17), (QList<std::size_t>{5, 5, 5}));
    QCOMPARE(widths(22), (QList<std::size_t>{5, 8, 7}));
    QCOMPARE(widths(39), (QList<std::size_t>{5, 8, 24}));  // A would not be whole
    QCOMPARE(widths(40), (QList<std::size_t>{20, 8, 10}));
}

QTEST_APPLESS_MAIN(TextColumns)
#include "tst_text_columns.moc"
