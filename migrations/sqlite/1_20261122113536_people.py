from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        DROP INDEX IF EXISTS "idx_users_email_133a6f";
        DROP INDEX IF EXISTS "idx_users_created_eeb5e9";
        CREATE TABLE IF NOT EXISTS "api_keys" (
    "id" CHAR(36) NOT NULL PRIMARY KEY,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "public_id" VARCHAR(12) NOT NULL UNIQUE,
    "name" VARCHAR(255) NOT NULL,
    "scopes" JSON NOT NULL,
    "secret_hash" VARCHAR(64) NOT NULL,
    "former_secrets" JSON NOT NULL,
    "expires_at" TIMESTAMP,
    "revoked_at" TIMESTAMP,
    "last_used_at" TIMESTAMP
) /* A service's key, without the key itself. */;
CREATE INDEX IF NOT EXISTS "idx_api_keys_created_f45c70" ON "api_keys" ("created_at", "id");
        CREATE TABLE IF NOT EXISTS "audit_records" (
    "id" CHAR(36) NOT NULL PRIMARY KEY,
    "created_at" TIMESTAMP NOT NULL,
    "actor_type" VARCHAR(16) NOT NULL,
    "actor_id" VARCHAR(128),
    "action" VARCHAR(64) NOT NULL,
    "target_type" VARCHAR(32) NOT NULL,
    "target_id" VARCHAR(200) NOT NULL,
    "before" JSON,
    "after" JSON,
    "request_id" VARCHAR(128),
    "address" VARCHAR(64)
) /* One change that somebody made. */;
CREATE INDEX IF NOT EXISTS "idx_audit_recor_actor_i_283d67" ON "audit_records" ("actor_id", "id");
CREATE INDEX IF NOT EXISTS "idx_audit_recor_action_cd38c3" ON "audit_records" ("action", "id");
CREATE INDEX IF NOT EXISTS "idx_audit_recor_target__ef316c" ON "audit_records" ("target_id", "id");
CREATE INDEX IF NOT EXISTS "idx_audit_recor_created_6f6e76" ON "audit_records" ("created_at");
        ALTER TABLE "users" ADD "released_email_key" VARCHAR(320);
        ALTER TABLE "users" ADD "search" VARCHAR(1024) NOT NULL DEFAULT '';
        -- Rows that are there already; the program folds by the rules of Unicode when it next saves one.
        UPDATE "users" SET "search" = lower(coalesce("email", '') || char(10) || coalesce("name", ''));
        -- With "search" in them they answer a search without a look at the table: SQLite has no index
        -- of trigrams, and no limit to an entry that a long name could exceed.
        CREATE INDEX IF NOT EXISTS "idx_users_email_a03da2" ON "users" ("email", "id", "status", "role", "search");
        CREATE INDEX IF NOT EXISTS "idx_users_role_0a38a8" ON "users" ("role", "status") WHERE role = 'admin';
        CREATE INDEX IF NOT EXISTS "idx_users_name_c6f035" ON "users" ("name", "id", "status", "role", "search");
        CREATE INDEX IF NOT EXISTS "idx_users_created_14a6ca" ON "users" ("created_at", "id", "status", "role", "search");"""


async def downgrade(db: BaseDBAsyncClient) -> str:
    return """
        DROP INDEX IF EXISTS "idx_users_created_14a6ca";
        DROP INDEX IF EXISTS "idx_users_name_c6f035";
        DROP INDEX IF EXISTS "idx_users_role_0a38a8";
        DROP INDEX IF EXISTS "idx_users_email_a03da2";
        ALTER TABLE "users" DROP COLUMN "released_email_key";
        ALTER TABLE "users" DROP COLUMN "search";
        DROP TABLE IF EXISTS "audit_records";
        DROP TABLE IF EXISTS "api_keys";
        CREATE INDEX IF NOT EXISTS "idx_users_created_eeb5e9" ON "users" ("created_at", "id");
        CREATE INDEX "idx_users_email_133a6f" ON "users" ("email");"""


MODELS_STATE = (
    "eJztW21z27gR/isYfokzo2hs2XHcXNsZJedOdG3sju302qs6FERCEmoK0AGgFE3O//12wR"
    "eRoqiQiq3IOn3xWMA+wOJZYAHsEl+csfRZoJufNFPOW/LFEXTM4J9ceYM4dDJZlGKBof3A"
    "CoYgYUtoXxtFPQOFAxpoBkU+057iE8OlQNFbOWZ96c9faEI9T4bCNBHoSw+QXAxLZLqiK3"
    "rcZ8JwM3dD7vcI18SMGJkoOYUKBcLc/4FwgxUiDAIyGzFBqEjaIDOqyVBRYZhP+mwgFQNp"
    "TQZcadMVmg/FKy6apMfGlAe2/dmImlwnRNO5bhDAEj2SM2jdJ5pR5Y0SnHvP5qluGogkHF"
    "QP5AzAHkVGECNFMCd8gNqiVlOm+ICDWlg3UIy9xRoaSMGwqVDwX0NmKz0YT5+R/0suQNxI"
    "21xXRKP2AlCFYesETMSQcqIlaBKPwiqIgtgFgUIpvFghxcZs3GeIRn17CvCgre8uBgUj9A"
    "LKx9qlJh0h1xo0MxzGKQe2RLAZ09CfvAf2ZyOpGYlgBCgAUQrlXSFhyNCgDvWECR/66QNr"
    "SC5CiM9BDdMgXYf6Y9DHIUB419Fz4XUdgNEpNVSlVFOijVR0yAiUwFTpRSZZmNC2wnFqgp"
    "yOLQYD/QE0oFN29LIHSDbRtlNKgGyFk68XTnxqbLUvGcwqGU3WyB6ukUMGI8Y189//QTGH"
    "gXxmGn9+ccCcgW//dzzFoBUfaEMw9/GvNtSEdskoCWsI4ezzRDGtwWg6aTFeiDibcbnNJ3"
    "a1OVYYBmN/PDRIrjdrsG10ZDFb6Me2t+hh85bJzx8uby4Jtkf+Ql7YSfHCeUD05N61Pebc"
    "XzQwW+4mDX761Pnxb1YSnVbf9WQQjsVCejI3IylS8RA8VRMxWDdkgimcCRnviPrGXjQpim"
    "YXFBgVsnRa+YsCnw1oGKCPdf48CIVn1/l4Du65CdOV9mHdNu0fWIou9/8aq5qBue7V9Z17"
    "e3nnuk7BRccUZj1yXOQB38AlFwZp//IQtbsgyJY62MH7D+2bo9Pzl5YSqc1Q2UpLn/Ngga"
    "Cpu7DygvX8asmz/yPUoK9ZbYE8cskSfgxtJv9sYpGkYGGSxS6XkJvQ9wSEOzBA/xq2jngu"
    "rDHAXefj5e1d++M/sbux1r8Glr/23SXWtGzpfKn0KLIXeFIv2tbTRsjPnbsPBH+SX66vLp"
    "etmsrd/YKr16Ghka6QM5f6mWmblCas2XWeWD3ytJtYPY88WH1XrJ5wlDF7rH3Wwy4OdEW7"
    "/53Ny1xtHrZkdCCvgpnjWVnD2z6ljcf0sxswMTQj+HnSulhj5H+1b6x7BamXOYtCxbvOVf"
    "vmP0evT1pLRr2KUa0I9pAzQ3pkyPP/fkTVagOkgEdh/nuvrxz3p63jCtyDVCnBtm4FwXhc"
    "rTHJc5h9m+H1WF4xw2EW17JA8T5TwxSrwX/0uf8IVkmuEFX9TiK/f9S3Xr+uQD1IldJr6/"
    "L0RvfcOgQvEBtRvNHRyXmq+8nSpnrcOquyq4JY+d5pK/MkT4CmWpM4BezhLK7iP9ZsnUUP"
    "sYj01KE4j9pDnp/EW6QRnCLNlyIcW6o7oBUVHit6jhS9Rc9BPcOnrKb/cJbjzZW8x3kV37"
    "F8lcp4jvPCiSQOa21CdoLdItVhnAR4fkRnY8y19sIl3P65kcfnOk0Q1I7dZYGPEMTZMd6f"
    "b8ymGKqzqaWNQnV55FasvM0r7nM3MiZCBveZoDwW9Kl3P6PKdws1siXLZItV49Z4uYQKOr"
    "Q2QjZRzzjd3J5wuIk7KxLRcU1jXSqaTjie+ypmo9sEtrUp99gLjbnDBplxmJRhlC6FAkwQ"
    "s2BQTFFXBdq89STsB9xzs0lrqgzpz8lsxL0RoRFCk0DKe+aTcNIgPc08xYw7onrUs5jbD+"
    "1XrdfnmGfFtHVUb7O1I/aZ+szjYxo0SW8g1ZgpN6rXPUIx62rzsDYRbLOwShpcVQQ1tjls"
    "w4OAjGTg29w2RcUC9hb05Ep3BXRJCWpihW0qGZPYkSK4VhugB2okhQ+acTizkJM/vTl+lG"
    "zpt6QSD7m9Q27vEU/BhyzPIbd3sHq13F666dUItOcwj3O53aGkx0mrUlavLLh+drEmp/dd"
    "I+s7t6q2ECzzJLZSYPin2+urknBCilj2Y9wz5DcScG2eIddrqEUucs4qYfToY/vfy2S//8"
    "f1u2UvhA28K+Q00mNxDceyhNrDWX5eJblxflbmXOBiUTr9zws5j/wVo84qKCIPq+EbVgPc"
    "izhUb3C0yiMPEbfdOUkVD9CKTTEusIGV88iDlXfZygHVxg31RnZexh4svWuW3pXgauhzc8"
    "M8qfLxsBXVjbVhVhR0lZWsGGu9Fox4IyqGcSBSx698yJj6rBhhXS+OcdWOffQyU9wYJuxb"
    "FhueFGyKb20s1I9et3BDFBswpYmR+IpjBH28jd6v+DqJY4LyGPq04rorDFVDBt0aOo9eEo"
    "E4V0TJmbYh1aEUrEl60UOinsX16MAw1YviqNh6ZJRI/6xCXSFkHMDVTdIx+HSJDG3TGEeO"
    "3tNgi0M+ZVHEGHiGUcVvbAI53CS0akcY366/MbC69EaD2kDl47cbGeFJVM5EFA8R5kOE+R"
    "Bh3tEdtUqEOXJs1lgFq1f7oibfwi7HB3bkq5rsXlIxCJOF7OHHNFt+tLHYcqvTHwN2eXo/"
    "h/BXfCpZ7W9K+V9C7aERTqskOE5LExzJ2lj9eKDECLU8UA6zhwZoHVf7ALv0AcfF8bqPsw"
    "tfZ0eXnzrx3wXim+K+O7YTbDvsa++ZdWhPAQfWN2ddMRi2Xu1yyjOredQf/dxT9XDj+3gb"
    "r8NzBrJ/JNc53pSfYXYlBskU90bOqvBjVNNYG3lcyHwt5FhO9tcDZ7XiOh1haoR1wMTL8z"
    "GefLv7IcsQVXjVOjl7c3Zxen52ASJWzbTkzZoJ2rm6+0rYZsqUXnmbKV/vGcg+nuSe4qMV"
    "XFR1PGokvofsnlQ6J5+sOQyfFA/D0KNhYkXcsfxYloEcPoOoeTL7rpvZw+9U7lPn"
)
