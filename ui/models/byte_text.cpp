// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/byte_text.h"

#include <QRegularExpression>
#include <QStringList>
#include <bit>
#include <cstring>

#include "base/units.h"
#include "ui/literals.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kLeastDigits = 8;
constexpr qsizetype kInLine = 12;

template <typename T>
QString number_text(T value) {
    if constexpr (std::is_floating_point_v<T>)
        return QString::number(value, 'g', std::numeric_limits<T>::max_digits10);
    else if constexpr (sizeof(T) == 1)
        return QString::number(static_cast<int>(value));
    else
        return QString::number(value);
}

template <typename T>
TypedValue typed(const char* name, const QByteArray& bytes) {
    if (bytes.size() < static_cast<qsizetype>(sizeof(T)))
        return {QString::fromLatin1(name), u"–"_s, u"–"_s};
    const auto in_order = [&](bool reversed) {
        auto part = bytes.left(sizeof(T));
        if (reversed) std::reverse(part.begin(), part.end());
        T value{};
        std::memcpy(&value, part.constData(), sizeof value);
        return number_text(value);
    };
    constexpr bool little = std::endian::native == std::endian::little;
    return {QString::fromLatin1(name), in_order(!little), in_order(little)};
}

}  // namespace

int offset_digits(std::uint64_t size) {
    const auto last = size == 0 ? 0 : size - 1;
    return std::max(kLeastDigits, (static_cast<int>(std::bit_width(last)) + 3) / 4);
}

QString offset_text(std::uint64_t offset, int digits) {
    return u"%1"_s.arg(offset, digits, 16, QChar(u'0'));
}

QString hex_text(const QByteArray& bytes) {
    return QString::fromLatin1(bytes.toHex(' '));
}

QString c_array(const QByteArray& bytes) {
    QString out = u"unsigned char bytes[%1] = {"_s.arg(bytes.size());
    for (qsizetype i = 0; i < bytes.size(); ++i) {
        out += i % kInLine == 0 ? u"\n    "_s : u" "_s;
        out += u"0x%1,"_s.arg(static_cast<unsigned char>(bytes[i]), 2, 16, QChar(u'0'));
    }
    return out + u"\n};\n"_s;
}

QList<TypedValue> typed_values(const QByteArray& bytes) {
    return {typed<std::int8_t>("int8", bytes),   typed<std::uint8_t>("uint8", bytes),
            typed<std::int16_t>("int16", bytes), typed<std::uint16_t>("uint16", bytes),
            typed<std::int32_t>("int32", bytes), typed<std::uint32_t>("uint32", bytes),
            typed<qint64>("int64", bytes),       typed<quint64>("uint64", bytes),
            typed<float>("float32", bytes),      typed<double>("float64", bytes)};
}

std::optional<std::uint64_t> parse_offset(const QString& text) {
    const auto word = text.trimmed();
    bool valid = false;
    if (word.startsWith(u"0x", Qt::CaseInsensitive)) {
        const auto offset = word.mid(2).toULongLong(&valid, 16);
        return valid ? std::optional<std::uint64_t>(offset) : std::nullopt;
    }
    const auto size = parse_size(word.toStdString());
    return size ? std::optional(*size) : std::nullopt;
}

QByteArray parse_needle(const QString& text) {
    static const QRegularExpression pairs(
        u"^\\s*([0-9a-fA-F]{2}\\s+)+[0-9a-fA-F]{2}\\s*$|^\\s*0x([0-9a-fA-F]{2})+\\s*$"_s);
    if (!pairs.match(text).hasMatch()) return text.toUtf8();
    auto digits = text.simplified().remove(u' ');
    if (digits.startsWith(u"0x")) digits.remove(0, 2);
    return QByteArray::fromHex(digits.toLatin1());
}

}  // namespace snakepit::shm::ui
