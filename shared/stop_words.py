"""Words that say how something is asked, not what: a question is searched for without them, and they tell the language.

How common a word is in the passages does not tell: a question word is rare in texts that answer. The words are as
`shared.analysis` folds them: lower case, without diacritics.
"""

from __future__ import annotations

from collections.abc import Mapping


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOP_WORDS: Mapping[str, frozenset[str]] = {
    "en": _words(
        """
        a about after all also am an and any anyone are as at be because been before being between both but by can could
        d define describe did do does doing during each else ever explain for from get give had has have having he her here
        hers him his how i if in into is it its just let list ll me may might mention more most much must my name no nor not
        of on one or other our ours out over own per please re s shall she should show so some such t tell than that the
        their them then there these they this those through to too under until up upon us very was we were what when
        where whether which while who whom whose why will with within without would you your yours
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
        mich mir mit muss nach nicht noch nur ob oder sein seine sich sie sind so uber um und uns unter vom von vor wann war
        waren warum was welche welchem welchen welcher welches wenn wer werden wie wir wird wo wohin wurde zu zum zur
        """
    ),
    "fr": _words(
        """
        a au aux avec c ce ces cet cette combien comme comment d dans de depuis des du elle elles en entre est et etre eux
        fait faut il ils j je l la le les leur leurs lui m ma mais me mes moi mon n ne nos notre nous on ont ou par pas
        peut plus pour pourquoi qu quand que quel quelle quelles quels qui quoi s sa sans se ses si son sont sous sur t ta
        te tes toi ton tu un une vers vos votre vous y
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
    "ko": _words(
        """
        가장 것은 것이 경우 그 그리고 누가 누구 누구인가 누구인가요 대한 대해 되나요 됩니까 또는 몇 무슨 무엇 무엇을 무엇이
        무엇인가 무엇인가요 무엇인지 무엇입니까 뭐 수 어느 어디 어디서 어디에 어디에서 어떤 어떻게 언제 얼마 얼마나 왜 위해 이
        인가 인가요 입니까 있나요 있는 있습니까 하나요 하는 합니까
        """
    ),
}

# Those that no other of these languages has, single letters apart: what a language is known by.
TELLING_WORDS: Mapping[str, frozenset[str]] = {
    language: frozenset(w for w in words if len(w) > 1 and sum(w in others for others in STOP_WORDS.values()) == 1)
    for language, words in STOP_WORDS.items()
}
