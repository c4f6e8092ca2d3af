"""Words that say how something is asked, not what: a question is searched for without them, and they tell the language.

How common a word is in the passages does not tell: a question word is rare in texts that answer. Words are compared as
`shared.folding` folds them: lower case, without diacritics but in Vietnamese, where those tell words apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from shared.folding import fold, words_of


def _words(text: str) -> frozenset[str]:
    return frozenset(words_of(fold(text)))


STOP_WORDS: Mapping[str, frozenset[str]] = {
    "en": _words(
        """
        a about after all also am an and any anyone are as at be because been before being between both but by can could
        define describe did do does doing during each else ever explain for from get give had has have having he her here
        hers him his how i if in into is it its just let list may might mention more most much must my name no nor not of on
        one or other our ours out over own per please shall she should show so some such tell than that the their them then
        there these they this those through to too under until up upon us very was we were what when where whether which
        while who whom whose why will with within without would you your yours
        """
    ),
    "tr": _words(
        """
        acaba ama ancak bana bazi belki ben beni benim bile bir biri biz bu buna bunlar bunu bunun da daha de defa degil
        diye dolayi edilir eden en etmek gibi hangi hangileri hangisi hem hepsi her icin ile ise kac kadar ki kim kime
        kimdir kimler kimin mi midir mu mudur nasil nasildir ne neden nedeniyle nedir neler nelerdir nerede nereden nereye
        nicin niye o olan olarak oldu oldugu oldugunu olmak olur onlar onu onun sadece sen siz sonra su sey tarafindan
        tum var vardir ve veya ya yani yok zaman
        """
    ),
    "de": _words(
        """
        als am an auch auf aus bei bin bis da damit das dass dein dem den der des die dies diese dieser dieses doch du durch
        ein eine einem einen einer eines er es fur gibt hat habe haben hatte ich ihr im in ist ja kann kannst konnen man mein
        mich mir mit muss nach nicht noch nur ob oder sein seine sich sie sind so uber um und uns unter viel viele vom von vor
        wann war waren warum was welche welchem welchen welcher welches wenn wer werden wie wir wird wo wohin wurde zu zum zur
        """
    ),
    "fr": _words(
        """
        a au aux avec ce ces cet cette combien comme comment dans de depuis des du elle elles en entre est et etre eux fait
        faut il ils je la le les leur leurs lui ma mais me mes moi mon ne nos notre nous on ont ou par pas peut plus pour
        pourquoi quand que quel quelle quelles quels qui quoi sa sans se ses si son sont sous sur ta te tes toi ton tu un une
        vers vos votre vous y
        """
    ),
    "es": _words(
        """
        a al algo como con cual cuales cuando cuanta cuantas cuanto cuantos de del desde donde dos e el ella ellas ellos en
        entre era es esa ese eso esta estan estas este esto estos fue ha hace hacer hay la las le les lo los mas me mi muy
        nos o para pero por porque puede pueden que quien quienes se segun ser si sin sobre son su sus tambien te tiene
        tienen tu un una uno unos y ya
        """
    ),
    "it": _words(
        """
        a ad agli ai al alla alle allo anche che chi ci come con cosa cui da dagli dai dal dalla dalle degli dei del della
        delle dello di dove e ed era essere fa fra gli ha hanno i il in io la le lei lo loro lui ma mi mio ne negli nei nel
        nella nelle noi non o per perche piu possono puo qual quale quali quando quanta quante quanti quanto quella quello
        questa queste questi questo se si sono su sua sue sugli sui sul sulla sulle suo tra tu un una uno
        """
    ),
    "pt": _words(
        """
        a ao aos as com como cuja cujo da das de dela dele do dos e ela elas ele eles em entre era essa esse esta estao este
        eu foi ha isso isto ja lhe mais mas me meu minha muito na nao nas no nos o onde os ou para pela pelas pelo pelos
        pode podem por porque posso quais qual quando quanta quantas quanto quantos que quem sao se sem ser seu seus sob
        sobre sua suas tambem tem ter um uma umas uns voce
        """
    ),
    "vi": frozenset(
        fold(
            """
            ai ấy bao bằng bị bởi các cái cho có của cùng cũng đã đang đâu để đến được gì hay hãy hoặc hơn không khi là lại mà
            mấy một nào này nên như nhiêu những ở phải ra rằng rất sẽ thế thì theo tôi trên trong từ và vào về vì với
            """
        ).split()
    ),
    "ru": _words(
        """
        а без бы был была были было быть в вам вас ваш во вот все всего вы где да для до его ее если есть еще же за зачем и
        из или им их к как какая какие каким каких какова каковы какое какой каком когда кого кому которая которые который
        кто куда ли либо меня мне могут мо может можно мой мы на над надо нам нас наш не нет ни но нужно о об он она они оно
        от откуда по под почему при про с свой себя сколько со так также такое такой там то того тоже только том ты у уже
        чего чей чем что чтобы эта эти это этого этой этом этот я является
        """
    ),
    "el": _words(
        """
        αλλά αν από αυτή αυτό αυτός για γιατί δεν είναι ένα ένας έχει έχουν η ή θα και κάθε κατά με μετά μια μου να ο οι όπως
        όταν ότι πού που ποια ποιες ποιο ποιοι ποιος πόσα πόσες πόση πόσο πόσοι πόσος πότε προς πρέπει πριν πώς σας σε στα στη
        στην στις στο στον στους τα τη την της τι τις το τον του τους των ως
        """
    ),
    "ar": _words(
        """
        أن أو أي أين إذا إلى إن الآن التي الذي الذين أم أنا أنت بعد بها به بين تكون تلك ثم حتى حول ذلك عن عند عندما على غير
        فيها فيه في قبل قد كان كانت كل كم كيف لا لكن لم لماذا لن له لها ليس ما ماذا متى مع من منذ نحن هذا هذه هل هم هو هي
        و يتم يجب يكون يمكن
        """
    ),
    "hi": _words(
        """
        अपना अपनी अपने आप इन इस इसका इसकी इसके उन उस उसका उसकी उसके एक और कब कर करता करती करते करना करने करें कहाँ कहां का
        कि कितना कितनी कितने किया किस किसका किसकी किसके किसने किसे की के कैसा कैसी कैसे को कौन क्या क्यों गया चाहिए जा जाता
        जो तक तो था थी थे द्वारा ने पर बताइए बताओ भी मुझे में मैं यदि यह या ये लिए वह वे सकता सकती सकते से हम ही हुआ हुई हुए
        हूँ है हैं हो होता होती होते
        """
    ),
    "ko": _words(
        """
        가장 것은 것이 경우 그 그리고 누가 누구 누구인가 누구인가요 대한 대해 되나요 됩니까 또는 몇 무슨 무엇 무엇을 무엇이
        무엇인가 무엇인가요 무엇인지 무엇입니까 뭐 수 어느 어디 어디서 어디에 어디에서 어떤 어떻게 언제 얼마 얼마나 왜 위해 이
        인가 인가요 입니까 있나요 있는 있습니까 하나요 하는 합니까
        """
    ),
}

# Words of English too, or names and signs in it: they do not tell that a text is of another language.
_ALSO_ENGLISH = _words(
    """
    ai al als bao ben bile bin chi ci com come con dal das den des di die dos dove du eg el elle era est et fa fait hat hem ho
    il ile io kim las les lo los ma man mas mes mi mit mon mu na ne non ob ou os pas par para per plus pour ra sans ser si sin
    sen sob son su sui sur te tem ton um uns una var ver vi vid war wo er
    """
)

# What speaks for a language: its words without single Latin letters and what English has too.
SPEAKING_WORDS: Mapping[str, frozenset[str]] = {
    language: frozenset(
        word
        for word in (words if language == "en" else words - STOP_WORDS["en"] - _ALSO_ENGLISH)
        if len(word) > 1 or not word.isascii()
    )
    for language, words in STOP_WORDS.items()
}

# And those that no other of these languages has: what a language is known by.
TELLING_WORDS: Mapping[str, frozenset[str]] = {
    language: frozenset(w for w in words if sum(w in others for others in STOP_WORDS.values()) == 1)
    for language, words in SPEAKING_WORDS.items()
}


# What is left out of a question whose language is not known: what says nothing in English, or in several other languages.
COMMON_STOP_WORDS = STOP_WORDS["en"].union(
    word for words in SPEAKING_WORDS.values() for word in words if sum(word in w for w in SPEAKING_WORDS.values()) > 1
)


def _pattern(*alternatives: str) -> re.Pattern[str]:
    phrases = sorted({phrase for text in alternatives for phrase in fold(text).split()}, key=lambda p: (-len(p), p))
    return re.compile("|".join(phrases))


# What is cut out of texts that write no spaces: phrases that stand in no other words, or pieces of a pattern that say so.
_THAI = "คืออะไร อะไร อย่างไร ยังไง ที่ไหน เมื่อไหร่ เมื่อไร เท่าไหร่ เท่าไร ทำไม ใคร กี่ หรือไม่ หรือเปล่า ไหม"
CHINESE = _pattern(
    _THAI,
    "有什么 是什么 为什么 什么时候 是什么时候 什么 怎么样 怎么办 怎么 怎样 如何 哪里 在哪里 是哪里 在哪儿 哪儿 哪些 有哪些 哪个 "
    "谁 是谁 多少 有多少 多久 多大 是多少 是否 能否 可以 请问 为何 何时 何处 吗 呢 们 几[个点本年天次种岁位]",
    "有什麼 是什麼 為什麼 什麼時候 是什麼時候 什麼 怎麼樣 怎麼辦 怎麼 怎樣 哪裡 在哪裡 是哪裡 在哪兒 哪兒 哪個 誰 是誰 "
    "請問 為何 何時 何處 嗎 們 幾[個點本年天次種歲位]",
    "(?<![目])的(?!士)",
)
JAPANESE = _pattern(
    _THAI,
    "(?<!幾)何[時人歳回個冊度年月日分本枚匹]? なに なぜ いつ 誰 だれ どこ どれ どの どんな どちら どうして どのように どうやって "
    "どのくらい どれくらい いくら いくつ (?<!ぶ)どう(?!ぶつ) ですか ますか でしょうか ですか でした です ました ません ます "
    "ください 教えて について という のは とは",
)
# A particle stands between what is written in other characters.
JAPANESE_PARTICLES = re.compile(
    "(?<=[^ぁ-んー])(?:から|まで|より|には|では|とは|のは|にも|への|[はのをにがとでもへやか])+(?![ぁ-ん])"
)
