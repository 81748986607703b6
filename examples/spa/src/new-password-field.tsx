import { useQuery } from 'urql';
import { Field } from './form.tsx';
import { PasswordPolicyDocument } from './operations.ts';

/** A field for a new password, with the rules of this server. Its name is that of the problems Credence finds: `password`. */
export function NewPasswordField({ label = 'Password' }: { label?: string }) {
  const [{ data }] = useQuery({ query: PasswordPolicyDocument });
  const minLength = data?.passwordPolicy.minLength;
  const hint =
    minLength &&
    `At least ${minLength} characters, of any kind. Some words that do not belong together are good; your own name is not.`;
  return (
    <Field
      name="password"
      label={label}
      type="password"
      autoComplete="new-password"
      {...(minLength && { minLength })}
      hint={hint}
    />
  );
}
