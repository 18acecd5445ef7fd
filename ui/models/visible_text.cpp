// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/visible_text.h"

#include <QStringList>
#include <QTextDocument>
#include <algorithm>

#include <fmt/format.h>

#include "base/utf8.h"
#include "ui/literals.h"

namespace snakepit::shm::ui {

namespace {

constexpr QChar kBreak{0x200B};      // zero-width space
constexpr qsizetype kUnbroken = 40;  // a region's id is a word of 37
constexpr qsizetype kPiece = 16;     // of a longer word
constexpr std::string_view kPlainMarks = "_@%+=:,./-";
constexpr qsizetype kTipWidth = 100;  // characters of a line

template <typename Keep>
QString visible(const QString& text, Keep keep) {
    const auto harmful = [&keep](QChar c) {
        return !keep(c) && (c.isSurrogate() || is_harmful(c.unicode()));
    };
    if (std::none_of(text.begin(), text.end(), harmful)) return text;
    QString out;
    for (const char32_t code : text.toUcs4()) {
        const bool kept = code < 0x10000 && keep(QChar(static_cast<char16_t>(code)));
        const bool hidden = !kept && (is_harmful(code) || QChar::isSurrogate(code));
        out += QString::fromUcs4(hidden ? &kReplacementCharacter : &code, 1);
    }
    return out;
}

bool is_plain(std::string_view bytes) {
    return !bytes.empty() && std::all_of(bytes.begin(), bytes.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               kPlainMarks.find(c) != std::string_view::npos;
    });
}

bool is_visible(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto point = decode_utf8(bytes);
        if (point.bytes == 0 || is_harmful(point.code)) return false;
        bytes.remove_prefix(point.bytes);
    }
    return true;
}

}  // namespace

QString visible_text(const QString& text) {
    return visible(text, [](QChar) { return false; });
}

QString visible_lines(const QString& text) {
    return visible(text, [](QChar c) { return c == u'\n'; });
}

QString breakable(const QString& text) {
    if (text.size() <= kUnbroken) return text;
    QString out;
    qsizetype begin = 0;
    while (begin < text.size()) {
        auto end = begin;
        while (end < text.size() && !text[end].isSpace()) ++end;
        if (end - begin <= kUnbroken) {
            out += QStringView(text).mid(begin, end - begin);
        } else {
            for (auto at = begin; at < end; ++at) {
                // Not between the two halves of a code point.
                if (at > begin && (at - begin) % kPiece == 0 && !text[at].isLowSurrogate())
                    out += kBreak;
                out += text[at];
            }
        }
        if (end < text.size()) out += text[end++];
        begin = end;
    }
    return out;
}

QString unbroken(QString text) {
    return text.remove(kBreak);
}

QString html_text(const QString& text) {
    return breakable(visible_text(text)).toHtmlEscaped();
}

QString tooltip_text(const QString& text) {
    QStringList lines;
    for (auto line : visible_lines(text).split(u'\n')) {
        while (line.size() > kTipWidth) {
            const auto space = line.lastIndexOf(u' ', kTipWidth);
            auto cut = space > kTipWidth / 2 ? space : kTipWidth;
            if (line[cut].isLowSurrogate()) --cut;
            lines << line.left(cut);
            line = line.mid(space == cut ? cut + 1 : cut);
        }
        lines << line;
    }
    const auto wrapped = lines.join(u'\n');
    return Qt::mightBeRichText(wrapped)
               ? u"<p style='white-space:pre'>%1</p>"_s.arg(wrapped.toHtmlEscaped())
               : wrapped;
}

QString shell_word(std::string_view bytes) {
    if (is_plain(bytes)) return QString::fromLatin1(bytes.data(), static_cast<int>(bytes.size()));
    if (is_visible(bytes)) {
        auto word = QString::fromUtf8(bytes.data(), static_cast<qsizetype>(bytes.size()));
        return u'\'' + word.replace(u'\'', u"'\\''"_s) + u'\'';
    }
    std::string out = "$'";
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\'' || c == '\\')
            out += {'\\', c};
        else if (byte >= 0x20 && byte < 0x7F)
            out += c;
        else
            out += fmt::format("\\{:03o}", byte);
    }
    return QString::fromStdString(out) + u'\'';
}

QString shell_word(const QString& word) {
    return shell_word(std::string_view(word.toStdString()));
}

}  // namespace snakepit::shm::ui
