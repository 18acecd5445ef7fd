// SPDX-License-Identifier: GPL-3.0-or-later
// Bytes as people and programs write them.
#pragma once

#include <QByteArray>
#include <QList>
#include <QString>
#include <cstdint>
#include <optional>

namespace snakepit::shm::ui {

// Offsets have eight digits, or as many as the last one of so many bytes needs.
int offset_digits(std::uint64_t size);
QString offset_text(std::uint64_t offset, int digits);

QString hex_text(const QByteArray& bytes);  // "00 ff 1a"
QString c_array(const QByteArray& bytes);   // "unsigned char bytes[3] = {…};", 12 in a line

// What the first bytes mean as each type, in both byte orders; "–" where there are too few.
struct TypedValue {
    QString type, little, big;
};
QList<TypedValue> typed_values(const QByteArray& bytes);

// An offset as it is typed: "4096", "0x1000", "1KiB"; none: it is none.
std::optional<std::uint64_t> parse_offset(const QString& text);
// What is searched for: "text", or bytes as 0x… or pairs of hexadecimal digits between blanks.
QByteArray parse_needle(const QString& text);

}  // namespace snakepit::shm::ui
