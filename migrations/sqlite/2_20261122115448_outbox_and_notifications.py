from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        CREATE TABLE IF NOT EXISTS "outbox" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "key" CHAR(36) NOT NULL,
    "kind" VARCHAR(8) NOT NULL,
    "name" VARCHAR(64) NOT NULL,
    "user_id" CHAR(36),
    "payload" TEXT NOT NULL,
    "request_id" VARCHAR(128),
    "created_at" TIMESTAMP NOT NULL,
    "attempts" INT NOT NULL,
    "error" VARCHAR(1000),
    "retry_at" TIMESTAMP,
    "set_aside_at" TIMESTAMP
) /* A job or an event, written in the transaction of the change that it belongs to. */;
        CREATE TABLE IF NOT EXISTS "broadcasts" (
    "id" CHAR(36) NOT NULL PRIMARY KEY,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "title" VARCHAR(200) NOT NULL,
    "body" TEXT NOT NULL,
    "data" JSON NOT NULL,
    "after" CHAR(36),
    "ended_at" TIMESTAMP
) /* A notification for all active users, on its way into their inboxes. */;
CREATE INDEX IF NOT EXISTS "idx_broadcasts_ended_a_90faf5" ON "broadcasts" ("ended_at", "updated_at");
        CREATE TABLE IF NOT EXISTS "idempotent_requests" (
    "id" CHAR(36) NOT NULL PRIMARY KEY,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "caller" VARCHAR(64) NOT NULL,
    "route" VARCHAR(64) NOT NULL,
    "key_hash" VARCHAR(64) NOT NULL,
    "request_hash" VARCHAR(64) NOT NULL,
    "holder" CHAR(36) NOT NULL,
    "held_until" TIMESTAMP NOT NULL,
    "answer" JSON,
    "began_at" TIMESTAMP NOT NULL,
    CONSTRAINT "uid_idempotent__caller_81b720" UNIQUE ("caller", "route", "key_hash")
) /* One key of one caller on one route. */;
CREATE INDEX IF NOT EXISTS "idx_idempotent__began_a_108359" ON "idempotent_requests" ("began_at");
        CREATE TABLE IF NOT EXISTS "sync_progress" (
    "name" VARCHAR(32) NOT NULL PRIMARY KEY,
    "page_token" TEXT,
    "after" CHAR(36),
    "listed" INT NOT NULL,
    "updated_at" TIMESTAMP NOT NULL
) /* One sync under way, by its name. It is gone when the sync is complete. */;
        CREATE TABLE IF NOT EXISTS "devices" (
    "id" CHAR(36) NOT NULL PRIMARY KEY,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "token" TEXT NOT NULL,
    "token_hash" VARCHAR(64) NOT NULL UNIQUE,
    "platform" VARCHAR(16) NOT NULL,
    "last_seen_at" TIMESTAMP NOT NULL,
    "user_id" CHAR(36) NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE
) /* One registration token of the push service; it belongs to one user at a time. */;
CREATE INDEX IF NOT EXISTS "idx_devices_last_se_42f0b0" ON "devices" ("last_seen_at");
CREATE INDEX IF NOT EXISTS "idx_devices_user_id_2d0edd" ON "devices" ("user_id", "id");
        CREATE TABLE IF NOT EXISTS "notifications" (
    "id" CHAR(36) NOT NULL PRIMARY KEY,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "title" VARCHAR(200) NOT NULL,
    "body" TEXT NOT NULL,
    "data" JSON NOT NULL,
    "read_at" TIMESTAMP,
    "pushed_at" TIMESTAMP,
    "push_job" VARCHAR(200),
    "push_until" TIMESTAMP,
    "user_id" CHAR(36) NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE
) /* One entry of one user's inbox. */;
CREATE INDEX IF NOT EXISTS "idx_notificatio_user_id_bf5d2b" ON "notifications" ("user_id", "id");
CREATE INDEX IF NOT EXISTS "idx_notificatio_user_id_5ecf33" ON "notifications" ("user_id", "read_at", "id");
CREATE INDEX IF NOT EXISTS "idx_notificatio_pushed__cf2dca" ON "notifications" ("pushed_at", "created_at");
CREATE INDEX IF NOT EXISTS "idx_notificatio_created_5f34f1" ON "notifications" ("created_at");
        CREATE TABLE IF NOT EXISTS "push_records" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "device_id" CHAR(36) NOT NULL,
    "outcome" VARCHAR(16) NOT NULL,
    "error" VARCHAR(255),
    "created_at" TIMESTAMP NOT NULL,
    "notification_id" CHAR(36) NOT NULL REFERENCES "notifications" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_push_record_notific_5d149d" UNIQUE ("notification_id", "device_id")
) /* What became of pushing one notification to one device. It is never pushed there again. */;
CREATE INDEX IF NOT EXISTS "idx_push_record_created_d7c6a0" ON "push_records" ("created_at");"""


async def downgrade(db: BaseDBAsyncClient) -> str:
    return """
        DROP TABLE IF EXISTS "push_records";
        DROP TABLE IF EXISTS "devices";
        DROP TABLE IF EXISTS "outbox";
        DROP TABLE IF EXISTS "broadcasts";
        DROP TABLE IF EXISTS "sync_progress";
        DROP TABLE IF EXISTS "notifications";
        DROP TABLE IF EXISTS "idempotent_requests";"""


MODELS_STATE = (
    "eJztXW1z2zYS/isYfUk6o3oc2XHS5O5m7MS9+K6xO45z7bXuSBAJSagpQCUgK5pc/vvtAn"
    "x/UUhZVmiZXxIZwILgLrDAPthdfu5Mpcs8tfdRMb/zinzuCDpl8CNV3iUdOpvFpVig6dAz"
    "DefQwpTQodI+dTQUjqinGBS5TDk+n2kuBTb9IKdsKN3lE0Wo48i50HtI6EoHKLkYl7S5Ft"
    "diwF0mNNfL/py7A8IV0RNGZr68hQofGnP3NeEaK8Tc88hiwgShIuyDLKgiY58KzVwyZCPp"
    "M2ityIj7Sl8Lxcfiey72yIBNKfdM/4sJ1amHEEWXqkuAlqiJXEDvLlGM+s4kpOvfsGU0Ng"
    "WMJByG7skFEDsUOYI0UnhLwkc4WhzVLfP5iMOwsG7kM/YKa6gnBcOu5oL/NWem0oH3GTLy"
    "p+QCmmtpursW9q0dD4bCsHcCImLIcqIkjCR4CzNAbIiPIFAohRMMyGdTNh0ypMbxDnygh9"
    "G6/fil4A0dj/Kp6lMdvSFXCkamObynHJkSwRZMwfPkDXB/MZGKEUtGgAXQlEL5tZDwytCh"
    "mqsZEy48ZwhcQ+YiCXE5DEN3yXWHulMYT4cAw687aimc6w6Q0VuqqR+xmhKlpU/HjEAJTJ"
    "WBFUksQtMLx6kJ7VQgMXjR1zACesuefjcASjZT5qGUALN9nHyD+cyl2lS7ksGsknayWnn0"
    "tRwzeGNcM7//AcUcXuQTU/jn5w6I03PN747jM+jFBbYhMXfxX6Wpnpsl40tYQ0jOPs18ph"
    "QITYU9BgsRZzMut+XMrLaOaQwvY/740iWppxmBbeNBhmYLzzH9xU9Yv2fyy7vTy1OC/ZG/"
    "kydmUjzpfEHq2U3fPDGl/uyLmfJ+2OHHj2dvfzQtUWkN+4705lMRt54t9USKqPkcNNUe0m"
    "DdmAnm40xIaEccb6BFwyI7u6BA+3MWTSs3LnDZiM491LGdv43mwjHrfLoE9bwH05UOYd3u"
    "mX9gKfa5+49gqAmyfv/84qr/4fSq3+/kVHTAwqRGDooc4DfwkguNbP/8xfYbM8iUdvABb9"
    "4dXz49OPrOsEQqPfZNpWFf54shhJH2YynHXE+vljT330IN6ppiCaQpM5JwA9K98Mc6EgkL"
    "YpHEu1zI3JB998DwDrygewFbRzAXVgjg6uz96Yer4/c/4+OmSv3lGf4dX51iTc+ULjOlT6"
    "28QJM6dluPOiG/nF29I/gn+e3i/DQr1ajd1W+4ejt0rmVfyEWfuolpG5aGXDPrPJS61bTr"
    "SD1N2Uq9KVIPeZQQezD6pIaND3R5uf+bLctUbZosI3RgXgUxB7Oyhra9TxlP6ae+x8RYT+"
    "DPZ72XK4T8n+NLo16h1XcpiULFydn58eV/nz5/1ssI9Tyg6lmyLykxREeGNP/fTKhfLICI"
    "YCOc/9brK8X7g95+Bd5Dq1IGm7oCBuNxtcYkT9Hs2gyvx+WCGQ6zuJYE8vZMDVEUEz/2ub"
    "8BqYQmRFW9E7bfPdb3nj+vwHpoVcpeU5dmr7Vz6zA4pliLxWsdnTr3ZZ9kNtX93mGVXRWa"
    "le+dpjLN5BmwqdYkjgh2cBZX0R8rts68hoiRnjosTlPtIJ/vRVtECE6ezadiPjWsPoNRUe"
    "GwvOaIqLeoOaij+S2rqT86Wby5kvY4qqI7sqZUQnMc5U4kAay1DrND2i2yeh5cAjw8Ricx"
    "5lp7YYZu99TI5nkdXRDUxu6ShBsAcRrG94eL2eShOnO1tBZUl6bcipS3aeI+dCHjRcjoJg"
    "HKY8GQOjcL6rv9XI3sybK2+appb5otoYKOjYyQmzjO4Lr5eMbBEu8UXEQHNd1VV9F0xvHc"
    "V/E2+pjAtnbLHfZE4d1hlyw4TMq5vS6FArwgZt4of0VdldDcW8/mQ487/eSlNfU1GS7JYs"
    "KdCaGWQhFPyhvmkvmsSwaKOT7T/QlVk4Gh+fDu+Pve8yO8Z8Vra1tvbmsn7BN1mcOn1Nsj"
    "g5H0p8zv23o1IBRvXc09rLkINrewvtS4qgiO2Nxha+55ZCI919xtUxyYx17BOLmvrgU8kh"
    "IciWlsrpLxEtsOBNdqF8aBI5LChZFxOLOQZz+82N/IbeldrhLbu732bm+Dp+D2lqe922ul"
    "Xu1uL9r0agDtKZrNGLcNuvR41qt0q1cGrh++XHGn902R9catqi2AZY7EXnIc/teHi/MSOC"
    "GiyOox7mjyP+JxpR8gr1ewFnmRUlYhR5++P/41y+w3P12cZLUQdnCSu9OIjsU1FEuGagdn"
    "+VGVy42jwzLlAoZF6fQ/yt15pE2MOqsgT9muhjusBrCLOFSvcbRKU7aIW3NOUvkDtM9uER"
    "dYQ8ppylbKTZayR5Xuz9Vacs7StpJumqSbAq7OXa4vmSP9NB5WUN1dCbNiw75vWlbEWi8E"
    "I86EinEARKogyodMqcvyCOvq5oirnpmgl4XPtWbCxLIYeFKwW4y1MaSujW7hmvhsxHxFtM"
    "Qojgk845WNX3FViGPC4BH6NM3VtdDUHzN4rKZLG0kEzblPfLlQBlIdS8H2yMAGEg0M3YCO"
    "NPMHFkfF3q1Q7PiTA7oWQgYArtojZxpDl8jYdI04so2nwR7H/JZZxBj4DG8VxNh4crwOtG"
    "reMLCu7wisZmI0qAEqN9+vFcK9DDmBKLYIc4swtwhzQ3fUKgizVWxGWDmpV/OoSffQZHyg"
    "IV41yb2kIgiTJNlBZ5otB23EW2519gcETZ7eDwH+Ck4lxfqmlP8Zqh0UwkGVC46D0guOcG"
    "0UBw+UCKGWBkrR7KAAevvVHLBLAzhe7q9yzs55Z1vjpw7+G1PcCfdt2E6wbdjX2Jl12B4R"
    "tFxfn+s+g9dWxSqn/GY1TfXYzz1VDzeui9Z4HT4nSHaPyXWON+VnmIZgkBdzPZSfLo0tl0"
    "Mg48ruKvxRmmbVgMdj8qccEoPtEXbLhO5GoCE3sB7Ingplz8chxJaEHrkmQ+ZJMUb8sMgX"
    "dKP9I7R5ZaDJLPz3mgzClDcmrc0lc+HnjUDcEBv5ckGGy27ggInQ5pCNOeZAYgsLLFJMz3"
    "MtIqCHDJD9QRIdTdVN8jWeQK8w0bpkMKNLT1J3QFAtEs0+6T1ybB5nx68QXsXrB/h5LYAx"
    "mMpoDHOZjHw5JQOfaX9p0gZJ0Q2SJmlCFXdZyCIm3G4AfiLASZUmA+b70h9URDprAXEnfH"
    "wmdA0oDpZlVocECqO5zkdjHML3P/R6BwcvevsHRy+fH7548fzl/ktoa8abr3qxQs2cnP3z"
    "7PwqrWGwYDUgVxi5V46DFofs3QkIrRTeFEOh5ln4z2Ejoc8EZ+GF1oW7Qtom20BrAV1Vzi"
    "LlJ5HcOaTYja7UvtxhL7qtAiwYbFh4zC5XHAmSOyiPhh0CN6Mogt07z80r2MhLHHFjkp2Y"
    "y6vuOk5/vVptKkbT+aeL83+GzbP2Y2sqfiNTsb3xK+f+Dt/4gXk1nRX5npae65MkXz/db0"
    "q8+/d7uu89O3xx+PLg6DA61Eclq87y4bk94UmKtlYdZRUR7KCe2q+Eo2OzFali8nB5aAbX"
    "VVRJutazr2mefenoBN03sMYaUs7StpJumqQbgp++ZRh43ikAT4Oa7irk1DVtavhs+mxsU2"
    "cjOmLTegcY5myuJmEc/Os0ikkwdTnaZJhmnBqHxmIXz431biLtTQdBzHwQap8ImzdQLLZ4"
    "Zf+zjpzYKfSkJ5gqPsy1blYImdIlPHUdV8uEOdqGsLcOhnnK1txoirpvQ9gfo9QLNvlcCL"
    "vZJOrAZhFBC5qtAZrFm3cNyD1NtHM5A7YKu888qjFAd91bpSR9k1dAQ1yoTdCeYjB91wz4"
    "S9BuZ2Nps6mtBwt8s/usB7SlfOVMnrO909zNs/ZH6TM+FuHGkVRaGYZmPnP2MFkal8br1K"
    "eLyG5MTih4d5uK0fD9+MOb47en1tDcPphx4kvqOqDNOgV4RlzZXQVpDMNmlbP+Can5iDsW"
    "dTAZ7zyP2GzCBldQXfyIGkaFLuiSAFNlEP7JxVCCvV/kBHbnPg2CEYSQBuCF8YMyQAd+Fg"
    "1OOUD/yvZGHDmNvKeS0aHYo6vWAS1stlu7oSTslha9aNGLFr1o6PmjRS8eo9QroRdcl2WY"
    "LzGlQ4Im225biYyqGv4k3QLn1nJ4KGy/E/zdNjqEe1qe2eUhT2H7Nr/Y5gPNyg9qZYFmj9"
    "4JM3m2rrMDJ+laj4DmbLeN8gg4T5ienQI7OlXfXWVKJ43YGj4CTGh/ifZneDGPX2NHs7b4"
    "0r+8eZAvX03MpA9CnZgJSAIK67sAdjB+wJ1hxnnMy2Q/gm54QuZCcw+tYPyQO/bT/1MOI3"
    "Mafl8Lm02KMeNIAKVTS24pLY35PQCLnki0m80wp3T5bR0BMvmLEh3jGXYz+fIzz4gEgc02"
    "lDCpTcPU4gwtzvDgLM4WZ3iMUm9xhhZnaLCJ0OIM22f6PaVWoeult6atbdy8LSJ/MkgZEn"
    "UknCJsZdx0GaO1nRfxiu/9xCS7F0a27WxsMXSxziqLKdtl1uRl1vqStb5krS9ZIQz+M6ix"
    "8m8bJGq7qyBwowxrfdngF0SUh8yB5yGojR0Alw1qnHIKCwLXLIqNef8Rl7afK7DnHISjfW"
    "ZTZ+WR8/t7TAGm/XvqKsDOKewPxf5HBvCuBb62qbewbhupt2KB1dgrUkTtbpE5Ysm5RrfL"
    "YrTr6wESCfImYzMNiY9oU1Lc80csH9YtzVYV+MOE66tc0iS39Zp7QwFpu0Ostieyh6g72h"
    "VZR46HyeKv2hcFE61JdsaZy6YzqZnQlzZjW6fA3Mg3Wml18Kh5P0gDV8P95oZF3jQO9Tzj"
    "sWL+8uHEUZJ44ys06IgD89K4xgQDMtkybtgMM/eGaTX2yIAKtQhCVowLzmLCPWbzEQd0UD"
    "MXGKCyoEvrbIMOOtdiMMHFEDjbKLpUNl2wcfgxoTLEkVCr8HkuKOTXZICfVkvEx+B4g7xe"
    "NhUxZuywAyo3bOzrYrV5VfwBzLAxxHcybVq/ktavpPUw2PyRpfUr2TWpV/EridV0xdukmK"
    "DJxvWaBuBWE0FE+2JFzkftW8bfjfHROaQ675MkLfvvOO+DBMw1RZAla8VwNzHYQ36d83VM"
    "0QISWWZGNlbdw1OacgcPTw/3sJQ/I1ujNy/iFd+Eiyjaj8Kt77k4ZGO6TgKnJN3u4ecPfW"
    "U1JK7vw1I4P/tybD5sV4Axpuq7q+BFBS37s2TTSsAikiWxu+HSJLDBYYSOBWPE4Axkh4Cc"
    "IeAmOc0M0dpi7PHu3do4QeBa3yQADAMFfQs8wovecteEFaIWg86YMp8eC9PrRLl1EAGd+0"
    "QuRJBVB/PsLKi6FlTdMBfz+Ly2rbEfvLxVZMR9pe/6VbJv+mWhBiU43MI3g8vhxHgC5UWx"
    "6uM4SapduGvedoxFm1ZgU6d7VEusyMtKSo9RUczNmCjDziFQ3dc5PirZLi9PLi5+Ss3fk7"
    "PsBP34/uT08ukzw25oxHXKv6qFoR8fDN2Q498x87kzKTr4BTUrj3w0bvO1s165nDf83dXH"
    "4vl5x88ylZ9YbuGMWuhKUu4VlyDZQWDyXhzjcFHV4HDQfAe5+6zqh7BWfQcr53YoBfq51M"
    "GqEiRtnG1NtOqbbmZf/g9Kzo7/"
)
